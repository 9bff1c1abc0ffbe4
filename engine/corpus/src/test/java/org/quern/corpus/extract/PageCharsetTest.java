package org.quern.corpus.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PageCharsetTest {
    private static final String GERMAN =
            "Die Mühle am Fluß mahlt für die Bäcker, und das Mehl heißt wie das Feld – „Rübenäcker“. ";
    private static final String RUSSIAN =
            "Мельница стоит у реки, и колесо её вращается с тех пор, как построили мост. ";
    private static final String JAPANESE = "水車小屋は川の曲がり角に立ち、橋ができて以来ずっと回り続けている。粉は畑ごとに売られる。";
    private static final String CHINESE = "磨坊坐落在河湾处，自从桥建成以来，水轮一直在转动。面粉按田地出售。";
    private static final String TAIWANESE = "磨坊坐落在河灣處，自從橋建成以來，水輪一直在轉動。麵粉按田地出售。";
    private static final String KOREAN = "물레방앗간은 강이 굽이치는 곳에 있고, 다리가 놓인 뒤로 바퀴가 계속 돌고 있다. ";

    private static String text(String language) {
        return switch (language) {
            case "de" -> GERMAN;
            case "ru" -> RUSSIAN;
            case "ja" -> JAPANESE;
            case "zh" -> CHINESE;
            case "tw" -> TAIWANESE;
            default -> KOREAN;
        };
    }

    private static void reads(String language, String charset, String header, String meta) {
        String text = text(language).repeat(5);
        byte[] html = ("<html><head>" + meta + "<title>x</title></head><body><p>" + text + "</p></body></html>")
                .getBytes(Charset.forName(charset));
        ExtractedText extracted = new TextExtractor().extract(html, header);
        assertThat(extracted.text()).as(extracted.charset().toString()).isEqualTo(text.strip());
    }

    @ParameterizedTest
    @CsvSource({
        "de,windows-1252,windows-1252", "de,windows-1252,iso-8859-1", "de,UTF-8,utf8", "ru,windows-1251,CP1251",
        "ru,KOI8-R,koi8-r", "ja,windows-31j,shift_jis", "ja,EUC-JP,euc-jp", "ja,ISO-2022-JP,iso-2022-jp",
        "zh,GB18030,gb2312", "tw,Big5,big5", "ko,EUC-KR,ks_c_5601-1987", "ru,UTF-16LE,utf-16le"
    })
    void believesTheServer(String language, String charset, String name) {
        reads(language, charset, "text/html; charset=\"" + name + "\"; q=1", "");
    }

    @ParameterizedTest
    @CsvSource({
        "de,windows-1252,iso-8859-1",
        "ru,windows-1251,windows-1251",
        "ja,windows-31j,x-sjis",
        "ja,EUC-JP,EUC-JP",
        "zh,GB18030,gbk",
        "ko,EUC-KR,euc-kr"
    })
    void believesThePage(String language, String charset, String name) {
        reads(language, charset, "text/html", "<meta charset='" + name + "'>");
        reads(language, charset, "", "<META HTTP-EQUIV=Content-Type CONTENT=\"text/html; charset=" + name + "\">");
        String far = "<style>" + "p { margin: 0 }\n".repeat(500) + "</style>";
        reads(language, charset, "", far + "<meta charset=" + name + ">");
    }

    @ParameterizedTest
    @CsvSource({
        "ru,windows-1251",
        "ru,KOI8-R",
        "ja,windows-31j",
        "ja,EUC-JP",
        "zh,GB18030",
        "ko,EUC-KR",
        "de,windows-1252",
        "ru,UTF-8"
    })
    void detectsWhatNobodySays(String language, String charset) {
        reads(language, charset, "", "");
        reads(language, charset, "text/html; charset=none-such", "<meta charset=utf-8>");
    }

    @Test
    void believesBytesMoreThanWords() {
        reads("de", "UTF-8", "text/html; charset=iso-8859-1", "<meta charset=windows-1252>");
        reads("ja", "EUC-JP", "text/html; charset=utf-8", "<meta charset=euc-jp>");
    }

    @Test
    void believesByteOrderMarks() {
        reads("ru", "UTF-16", "text/html; charset=windows-1251", "<meta charset=utf-8>");
        byte[] page = ("\ufeff<p>" + RUSSIAN.repeat(4)).getBytes(StandardCharsets.UTF_16LE);
        assertThat(new TextExtractor().extract(page, "").charset()).isEqualTo(StandardCharsets.UTF_16LE);
        page = ("\ufeff<p>" + RUSSIAN.repeat(4)).getBytes(StandardCharsets.UTF_8);
        assertThat(new TextExtractor()
                        .extract(page, "text/html; charset=koi8-r")
                        .text())
                .isEqualTo(RUSSIAN.repeat(4).strip());
    }

    @Test
    void forgivesFewWrongBytes() {
        byte[] page = ("<p>" + RUSSIAN.repeat(40) + "\u0001</p>").getBytes(StandardCharsets.UTF_8);
        page[page.length - 5] = (byte) 0xFF;
        ExtractedText extracted = new TextExtractor().extract(page, "text/html; charset=utf-8");
        assertThat(extracted.charset()).isEqualTo(StandardCharsets.UTF_8);
        assertThat(extracted.text()).isEqualTo(RUSSIAN.repeat(40) + "\ufffd");
        byte[] cut = Arrays.copyOf(page, 1001);
        assertThat(new TextExtractor().extract(cut, "").charset()).isEqualTo(StandardCharsets.UTF_8);
    }
}
