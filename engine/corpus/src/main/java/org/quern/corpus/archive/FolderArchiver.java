package org.quern.corpus.archive;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.netpreserve.jwarc.HttpResponse;
import org.netpreserve.jwarc.MediaType;
import org.netpreserve.jwarc.WarcCompression;
import org.netpreserve.jwarc.WarcDigest;
import org.netpreserve.jwarc.WarcResponse;
import org.netpreserve.jwarc.WarcWriter;
import org.netpreserve.jwarc.Warcinfo;
import org.quern.base.QuernException;

/// Writes the HTML files of a folder as a WARC, as if a server of that folder had been crawled: a response
/// each, dated by its file, in the order of their paths. The same files give the same bytes.
public final class FolderArchiver {
    private static final String HTML = "(?i).*\\.(html?|xhtml)";

    private FolderArchiver() {}

    /// @param url of the folder; ends in `/`
    /// @param warc ends in `.warc` or `.warc.gz`; appears when it is whole
    /// @return how many pages were written
    public static int archive(Path folder, URI url, Path warc) {
        List<Path> files = files(folder);
        if (files.isEmpty()) {
            throw QuernException.data(folder + ": expected files ending in .html, .htm or .xhtml, found none");
        }
        Path temporary = warc.resolveSibling(warc.getFileName() + ".tmp");
        WarcCompression compression = warc.toString().endsWith(".gz") ? WarcCompression.GZIP : WarcCompression.NONE;
        try (FileChannel channel = FileChannel.open(
                        temporary,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE);
                WarcWriter out = new WarcWriter(channel, compression)) {
            out.write(information(
                    warc.getFileName().toString(),
                    Files.getLastModifiedTime(files.getFirst()).toInstant()));
            for (Path file : files) {
                out.write(response(file, url + path(folder.relativize(file))));
            }
            channel.force(true);
            Files.move(temporary, warc, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw QuernException.io("%s: cannot be written".formatted(warc), e);
        }
        return files.size();
    }

    private static List<Path> files(Path folder) {
        try (Stream<Path> tree = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
            return tree.filter(file -> file.toString().matches(HTML) && Files.isRegularFile(file))
                    .sorted((a, b) -> a.toString().compareTo(b.toString()))
                    .toList();
        } catch (IOException e) {
            throw QuernException.io(folder + ": cannot be listed", e);
        }
    }

    private static String path(Path relative) {
        List<String> parts = new ArrayList<>();
        for (Path part : relative) {
            parts.add(URLEncoder.encode(part.toString(), StandardCharsets.UTF_8).replace("+", "%20"));
        }
        return String.join("/", parts);
    }

    private static Warcinfo information(String name, Instant date) {
        return new Warcinfo.Builder()
                .recordId(id("warcinfo " + name))
                .date(date)
                .filename(name)
                .fields(Map.of("software", List.of("quern"), "format", List.of("WARC File Format 1.1")))
                .build();
    }

    private static WarcResponse response(Path file, String url) throws IOException {
        byte[] html = Files.readAllBytes(file);
        Instant date = Files.getLastModifiedTime(file).toInstant();
        HttpResponse http =
                new HttpResponse.Builder(200, "OK").body(MediaType.HTML, html).build();
        return new WarcResponse.Builder(url)
                .recordId(id(url + " " + date))
                .date(date)
                .body(http)
                .payloadDigest(new WarcDigest(sha1(html)))
                .build();
    }

    private static UUID id(String name) {
        return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8));
    }

    private static MessageDigest sha1(byte[] bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-1");
            digest.update(bytes);
            return digest;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
