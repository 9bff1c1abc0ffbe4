package org.quern.corpus.filter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;

class PersonalDataTest {
    private static Page clean(PersonalData.Settings settings, String text) {
        Page page = Page.ofText(new Page.Origin("a", 0, 0, "", ""), "", "", text);
        return ((Verdict.Kept) new PersonalData(settings).apply(page)).page();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "Write to jane.doe+news@mail.example-shop.co.uk. | Write to email@example.com.",
                "<a@b.cd>, 'x'@y.z; | <email@example.com>, 'email@example.com;",
                "..bob..al@x.org- | ..bob..email@example.com-",
                "a@b.com@c.com | email@example.com@c.com",
                "from 8.8.8.8:53 and [93.184.216.34] | from 192.0.2.1:53 and [192.0.2.1]",
                "version 1.2.3.4, | version 192.0.2.1,",
                "at 2606:2800:220:1:248:1893:25c8:1946. | at 2001:db8::1.",
                "at 2a00:1450:4001:81b::200e, | at 2001:db8::1,",
                "call +49 (0)30 1234-5678 now | call +1 555 555 0100 now",
                "(212) 555-1234 or 1-800-555-0199 x2 | +1 555 555 0100 or +1 555 555 0100 x2",
                "Tel.: 030 / 12 34 56 78; | Tel.: +1 555 555 0100;",
                "IBAN DE89 3704 0044 0532 0130 00, | IBAN GB00 0000 0000 0000 0000 00,",
                "GB82WEST12345698765432 | GB00 0000 0000 0000 0000 00",
                "4111-1111-1111-1111 5500 0000 0000 0004 | 0000 0000 0000 0000 0000 0000 0000 0000",
                "card 378282246310005. | card 0000 0000 0000 0000.",
                "SSN 078-05-1120 | SSN 000-00-0000",
                "CPF 529.982.247-25! | CPF 000-00-0000!",
                "11010519491231002X | 000-00-0000"
            })
    void replaces(String text, String expected) {
        assertThat(clean(PersonalData.Settings.ALL, text).text()).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "no address: @user, a@b, a@-b.com, a@b-.com, a @ b.com, x@.com",
                "192.168.0.1 10.1.2.3 127.0.0.1 172.20.1.1 100.64.0.1 224.0.0.1 255.255.255.255 203.0.113.7",
                "1.2.3.4.5 11.22.33.444 01.02.03.04 256.1.1.1 1.2.3 x1.2.3.4 1.2.3.45678",
                "12:30:45 2001:db8::1 std::vector 2a00:1450 fe80::1 2000:1:2:3:4:5:6",
                "2001-02-2003 2024-05-17 17.05.2024 12/31/1999 1914-1918 1,234,567.89 10 000 000",
                "ISBN 978-3-16-148410-0, 555-1234, 112-555-1234, 212-155-1234, 212-555-12345, +0 123 456 789, +1 234",
                "tel 12 34, telling 1234567, hotel 1234567",
                "DE88 3704 0044 0532 0130 00 XX89370400440532013000 DE8937040044053201300",
                "4111-1111-1111-1112 1234567890123456 41111111111111111 4111 1111 1111",
                "000-12-3456 666-12-3456 912-12-3456 123-00-4567 123-45-0000 123-45-67890 1123-45-6789",
                "529.982.247-26 111.111.111-11 110105194912310021",
                "pi is 3.14159265358979323846, row 1234567890"
            })
    void leaves(String text) {
        assertThat(clean(PersonalData.Settings.ALL, text).text()).isEqualTo(text);
    }

    @Test
    void replacesWhatIsAskedForAndCountsIt() {
        Page page = clean(PersonalData.Settings.DEFAULT, "a@b.com 8.8.4.4 +49 30 12345678 4111111111111111");

        assertThat(page.text()).isEqualTo("email@example.com 192.0.2.1 +49 30 12345678 4111111111111111");
        assertThat(page.scores()).containsEntry("personal_data", 2.0);
    }

    @Test
    void givesTheSameWhenAppliedTwice() {
        Page once = clean(
                PersonalData.Settings.ALL,
                "a@b.com 8.8.4.4 2a00::1 +49 30 12345678 GB82WEST12345698765432 078-05-1120");
        assertThat(clean(PersonalData.Settings.ALL, once.text()).text()).isEqualTo(once.text());
    }

    @Test
    void isLinearInHostileText() {
        for (String part : new String[] {"a.", "a@", "1.", "1 ", "+1", "(", "1-", "A", "DE89", ":", "2001:", "tel "}) {
            String text = part.repeat(100_000);
            assertThat(clean(PersonalData.Settings.ALL, text).text()).isNotEmpty();
        }
    }
}
