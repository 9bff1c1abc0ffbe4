package org.quern.corpus.run;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.quern.config.ConfigWriter;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Stage;
import org.quern.corpus.extract.ExtractStage;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.filter.C4Quality;
import org.quern.corpus.filter.Decontamination;
import org.quern.corpus.filter.FineWebQuality;
import org.quern.corpus.filter.GopherQuality;
import org.quern.corpus.filter.GopherRepetition;
import org.quern.corpus.filter.LearnedQuality;
import org.quern.corpus.filter.PersonalData;
import org.quern.corpus.filter.UrlFilter;
import org.quern.corpus.filter.UrlLists;
import org.quern.corpus.language.LanguageStage;
import org.quern.data.CorpusReader;
import org.quern.data.PathPatterns;
import org.quern.data.Sha256;

/// The stages that a config asks for.
///
/// @param recipe a hash of all that decides what they make of a page
record Pipeline(List<Stage> stages, String recipe) {
    static Pipeline of(CorpusConfig config) {
        return new Pipeline(stages(config), recipe(config));
    }

    private static List<Stage> stages(CorpusConfig config) {
        List<Stage> stages = new ArrayList<>();
        config.urls().map(Pipeline::urls).ifPresent(stages::add);
        stages.add(new ExtractStage());
        config.language()
                .map(language -> new LanguageStage(
                        FastTextModel.read(language.model()),
                        Set.copyOf(language.keep()),
                        language.minScore(),
                        language.characters()))
                .ifPresent(stages::add);
        config.gopherRepetition().map(GopherRepetition::new).ifPresent(stages::add);
        config.gopherQuality().map(GopherQuality::new).ifPresent(stages::add);
        config.c4Quality().map(C4Quality::new).ifPresent(stages::add);
        config.finewebQuality().map(FineWebQuality::new).ifPresent(stages::add);
        config.quality()
                .map(quality ->
                        new LearnedQuality(FastTextModel.read(quality.model()), quality.label(), quality.minScore()))
                .ifPresent(stages::add);
        config.decontamination().map(Pipeline::decontamination).ifPresent(stages::add);
        config.personalData().map(PersonalData::new).ifPresent(stages::add);
        Set<String> names = new HashSet<>();
        if (!stages.stream().map(Stage::name).allMatch(names::add)) {
            throw new IllegalStateException("two stages have one name: " + names);
        }
        return List.copyOf(stages);
    }

    private static Stage urls(CorpusConfig.Urls urls) {
        UrlLists lists = UrlLists.builtIn();
        lists = urls.lists().isPresent() ? lists.with(urls.lists().get()) : lists;
        lists = urls.toulouse().isPresent() ? lists.withToulouse(urls.toulouse().get(), urls.categories()) : lists;
        return new UrlFilter(lists, urls.softWords());
    }

    private static Stage decontamination(CorpusConfig.Decontamination config) {
        List<Decontamination.Evaluated> texts = new ArrayList<>();
        try (CorpusReader reader = new CorpusReader(PathPatterns.files(config.texts(), CorpusReader.SUFFIXES))) {
            reader.forEachRemaining(document -> texts.add(new Decontamination.Evaluated(
                    document.name(), new String(document.text(), StandardCharsets.UTF_8))));
        }
        return new Decontamination(texts, config.words(), config.limit());
    }

    private static String recipe(CorpusConfig config) {
        StringBuilder recipe = new StringBuilder(ConfigWriter.yaml(config.ofPages()));
        for (Path file : files(config)) {
            recipe.append(HexFormat.of().formatHex(Sha256.of(file)));
        }
        return RunFolder.hash(recipe.toString());
    }

    /// The lists, models and texts that stages are made of.
    private static List<Path> files(CorpusConfig config) {
        List<Path> files = new ArrayList<>();
        config.urls().ifPresent(urls -> {
            urls.lists().ifPresent(files::add);
            urls.toulouse().ifPresent(files::add);
        });
        config.language().map(CorpusConfig.Language::model).ifPresent(files::add);
        config.quality().map(CorpusConfig.Quality::model).ifPresent(files::add);
        config.decontamination().map(CorpusConfig.Decontamination::texts).ifPresent(files::addAll);
        return files.isEmpty() ? List.of() : PathPatterns.files(files, List.of(""));
    }
}
