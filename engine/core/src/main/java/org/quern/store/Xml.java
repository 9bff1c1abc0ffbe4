package org.quern.store;

import java.io.ByteArrayInputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/// An element of an answer, without namespaces and attributes.
///
/// @param text of an element without children
record Xml(String name, StringBuilder text, List<Xml> children) {
    private static final Xml NOTHING = new Xml("", new StringBuilder(), List.of());

    /// The outermost element; one without anything if this is no XML, as the answers of proxies may be.
    static Xml parse(byte[] bytes) {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        Xml document = new Xml("", new StringBuilder(), new ArrayList<>());
        Deque<Xml> open = new ArrayDeque<>(List.of(document));
        try {
            XMLStreamReader reader = factory.createXMLStreamReader(new ByteArrayInputStream(bytes));
            while (reader.hasNext()) {
                switch (reader.next()) {
                    case XMLStreamConstants.START_ELEMENT -> {
                        Xml element = new Xml(reader.getLocalName(), new StringBuilder(), new ArrayList<>());
                        open.getFirst().children().add(element);
                        open.push(element);
                    }
                    case XMLStreamConstants.END_ELEMENT -> open.pop();
                    case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA ->
                        open.getFirst().text().append(reader.getText());
                    default -> {}
                }
            }
        } catch (XMLStreamException _) {
            return NOTHING;
        }
        return document.children().isEmpty() ? NOTHING : document.children().getFirst();
    }

    List<Xml> all(String child) {
        return children.stream().filter(each -> each.name().equals(child)).toList();
    }

    Optional<String> find(String child) {
        return all(child).stream().findFirst().map(each -> each.text().toString());
    }

    /// The text of a child; empty where there is none.
    String get(String child) {
        return find(child).orElse("");
    }
}
