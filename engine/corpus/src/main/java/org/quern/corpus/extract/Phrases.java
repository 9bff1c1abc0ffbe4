package org.quern.corpus.extract;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;

/// Words that lines begin with which lead away from a page's text.
final class Phrases {
    private static final int LONGEST = 4;

    /// In lower case and without apostrophes, of at most [#LONGEST] words.
    private static final Set<String> BEGINNINGS = Arrays.stream("""
            about author | about the author | about the writer | about us | ad | add a comment | advertisement
            advertising | all rights reserved | also read | article continues below | author bio | back to top
            become a member | categories | category | click here to | click to | comment | comments
            connect with | contact us | continue reading | continue reading below | cookie policy | copyright
            correction | dont miss | download our app | download the app | editors note | editors picks
            email this | enter your email | featured image | file photo | filed under | follow | follow me
            follow us | further reading | get email | get our | get the latest | getty images | image credit
            image source | image via | images | join our | join the conversation | join the discussion
            join us on | keep reading | labels | latest news | latest posts | leave a comment | leave a reply
            leave a response | like us | listen | log in | meet the author | more from | more in
            more like this | more news | more on | more stories | most popular | most read | most viewed
            newsletter | next article | next post | no comments | photo | photo by | photo credit | photos
            picture | popular posts | post a comment | posted by | posted in | posted on | previous article
            previous post | print this | privacy policy | promoted | read also | read full | read more
            read next | read the full | recent posts | recommended | recommended for you | related
            related articles | related content | related coverage | related links | related posts
            related reading | related stories | related topics | responses | scroll to continue | see also
            see more | share | share on | share this | show comments | sign in | sign up | sponsored
            sponsored content | story continues below | subscribe | subscribe to | support our | tagged | tags
            tap here | terms of | topics | trending | up next | video | view comments | watch
            table of contents | last updated | min read | this entry was posted | pin it
            we may earn | i may earn | this post may contain | this post contains affiliate | as an amazon associate
            this article contains affiliate | affiliate disclosure | create an account | already have an account | dont have an account
            create a free account | credit | credits
            like this article | enjoy this article | enjoyed this article | did you enjoy | liked this post
            what do you think | what to read next | whats next | write a comment | written by | you may also
            you may like | you might also | you might like | your email
            mehr zum thema | mehr zu | lesen sie auch | lesen sie mehr | das könnte sie auch | weitere artikel
            weitere themen | weiterlesen | kommentare | kommentar schreiben | teilen | artikel teilen | anzeige
            auch interessant | ähnliche artikel | ähnliche beiträge | schreibe einen kommentar | schlagwörter
            foto | fotos | titelbild | bildquelle | quelle | quellen | weitere informationen | mehr themen | mehr zum
            kommentare geschlossen | schon gelesen | zum weiterlesen | verwandte beiträge | diesen artikel teilen
            das könnte dich auch | das thema könnte | newsletter abonnieren | jetzt abonnieren | inhaltsverzeichnis
            verwandte | crédits photo | crédits photos | vous aimerez aussi | à voir aussi | à lire également
            suivez nous | inscrivez vous | síguenos | suscríbete a | también lee | te recomendamos | lee también
            siga nos | inscreva se | seguici su | iscriviti alla | volg ons | obserwuj nas | lire aussi
            à lire aussi | lire la suite | voir aussi | articles similaires
            partager | sur le même sujet | commentaires | laisser un commentaire | publicité | abonnez
            crédit photo | lea también | leer más | te puede interesar | también te puede
            noticias relacionadas | artículos relacionados | compartir | comentarios | deja una respuesta
            publicidad | suscríbete | ver también | más sobre | leggi anche | potrebbe interessarti | condividi
            articoli correlati | commenti | pubblicità | leia também | leia mais | compartilhe | comentários
            veja também | lees ook | lees meer | deel dit | reacties | gerelateerd | czytaj też | czytaj także
            czytaj więcej | zobacz też | zobacz także | udostępnij | komentarze | podobne
            """.split("[|\\n]"))
            .map(String::strip)
            .filter(phrase -> !phrase.isEmpty())
            .collect(Collectors.toUnmodifiableSet());

    private Phrases() {}

    /// Whether a part of a text is such a phrase, or begins with one of at least two words, or with one and a colon.
    static boolean begins(CharSequence text, int start, int end) {
        StringBuilder words = new StringBuilder();
        int i = start;
        for (int count = 1; count <= LONGEST; count++) {
            i = skipMarks(text, i, end);
            int before = words.length();
            while (i < end && (Character.isLetterOrDigit(text.charAt(i)) || apostrophe(text.charAt(i)))) {
                if (!apostrophe(text.charAt(i))) {
                    words.append(Character.toLowerCase(text.charAt(i)));
                }
                i++;
            }
            if (words.length() == before) {
                return false;
            }
            boolean alone = i == end || text.charAt(i) == ':' || skipMarks(text, i, end) == end;
            if ((alone || count > 1) && BEGINNINGS.contains(words.toString())) {
                return true;
            }
            words.append(' ');
        }
        return false;
    }

    private static int skipMarks(CharSequence text, int start, int end) {
        int i = start;
        while (i < end && !Character.isLetterOrDigit(text.charAt(i))) {
            i++;
        }
        return i;
    }

    private static boolean apostrophe(char c) {
        return c == '\'' || c == '\u2019';
    }
}
