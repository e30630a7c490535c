// Templates: what Jinja makes of them, we make of them.

import Homeserver
import MatrixCore
import ServerConfiguration
import TestSupport
import Testing

@Suite("Templates")
struct TemplateTests {
    private func render(_ text: String, _ values: TemplateValues = [:], name: String = "t.html", others: [String: String] = [:]) throws
        -> String
    {
        try TemplateLibrary(directories: [], builtIn: others.merging([name: text]) { $1 }).render(name, values)
    }

    private static let values: TemplateValues = [
        "name": "<Alice & \"Bob\">", "n": 3, "none": .null, "yes": true, "list": ["a", "b"], "map": ["key": "value", "deep": ["x": 1]],
        "empty": "", "ts": 1_700_000_000_000,
    ]

    @Test(
        "expressions, tests and filters",
        arguments: [
            ("{{ name }}", "&lt;Alice &amp; &#34;Bob&#34;&gt;"), ("{{ name|safe }}", "<Alice & \"Bob\">"),
            ("{{ name|e }}", "&lt;Alice &amp; &#34;Bob&#34;&gt;"), ("{{ 'it''s' }}", nil), ("{{ n }}{{ none }}{{ missing }}", "3"),
            ("{{ map.key }}{{ map['key'] }}{{ map.deep.x }}{{ list[1] }}{{ map.nothing.more }}", "valuevalue1b"),
            ("{% if n == 3 and not none %}a{% endif %}", "a"), ("{% if missing is defined %}a{% else %}b{% endif %}", "b"),
            ("{% if none is none and missing is not defined %}a{% endif %}", "a"),
            ("{% if n > 3 %}a{% elif n >= 3 %}b{% else %}c{% endif %}", "b"), ("{{ 'a' in list }}{{ 'key' not in map }}", "TrueFalse"),
            ("{{ 'a' ~ n ~ 'b' }}{{ n + 4 }}", "a3b7"), ("{{ 'x' if yes else 'y' }}{{ 'x' if empty }}", "x"),
            ("{{ missing|default('d') }}{{ n|default('d') }}", "d3"), ("{{ list|join(', ') }}{{ list|length }}", "a, b2"),
            ("{{ 'Ab'|upper|lower }}{{ ' x '|trim }}{{ 'a b&c'|urlencode }}", "abxa%20b%26c"),
            ("{{ map|tojson }}", #"{"deep":{"x":1},"key":"value"}"#), ("{{ name|tojson }}", #""\u003cAlice \u0026 \"Bob\"\u003e""#),
            ("{{ ts|format_ts('%d-%m-%Y %H:%M') }}", "14-11-2023 22:13"), ("{{ 'a@b'|localpart_from_email }}", "a"),
            ("{% for x in list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "1a,2b"),
            ("{% for x in missing %}a{% else %}none{% endfor %}", "none"), ("{% set y = n %}{{ y }}", "3"),
            ("a{# {{ name }} #}b", "ab"), ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"), ("a \n{%- if yes -%}\n b{% endif %}", "ab"),
            ("{ % } { { } }", "{ % } { { } }"), ("{{ '}}' }}", "}}"), ("text\n", "text"), ("text\n\n", "text\n"),
        ] as [(String, String?)])
    func expressions(text: String, expected: String?) throws {
        guard let expected else {
            #expect(throws: TemplateError.self) { try render(text, Self.values) }
            return
        }
        #expect(try render(text, Self.values) == expected)
    }

    @Test("text files are not escaped")
    func textFiles() throws {
        #expect(try render("{{ name }}", Self.values, name: "t.txt") == "<Alice & \"Bob\">")
    }

    @Test("a template fills the blocks of another, over several steps, and includes what it likes")
    func inheritance() throws {
        let others = [
            "base.html": "<{% block title %}none{% endblock %}|{% block body %}{% endblock %}|{% include 'style.css' without context %}>",
            "middle.html": "{% extends 'base.html' %}{% block body %}[{% block inner %}i{% endblock %}]{% endblock %}",
            "style.css": "a > b",
        ]
        #expect(
            try render("{% extends 'middle.html' %}{% block title %}T{% endblock %}{% block inner %}I{% endblock %}", others: others)
                == "<T|[I]|a > b>")
        #expect(try render("{% include 'missing' ignore missing %}ok") == "ok")
    }

    @Test(
        "what is not well formed is told with its line",
        arguments: [
            ("a\n{% if x %}", 0), ("a\n{{ x", 2), ("\n\n{% endif %}", 3), ("{% unheard %}", 1), ("{{ x|unheard }}", 1), ("{{ }}", 1),
            ("{{ a b }}", 1), ("{% for x %}{% endfor %}", 1), ("{{ 'open }}", 1), ("{{ a $ b }}", 1),
        ])
    func malformed(text: String, line: Int) {
        #expect(#expect(throws: TemplateError.self) { try render(text) }?.line == line)
    }

    @Test("templates that include each other, nest without end, or grow without end are stopped")
    func endless() {
        #expect(throws: TemplateError.self) { try render("{% include 't.html' %}") }
        #expect(throws: TemplateError.self) { try render(String(repeating: "{% if 1 %}", count: 5000)) }
        #expect(throws: TemplateError.self) { try render("{{ " + String(repeating: "(", count: 5000)) }
        let (loop, end) = (String(repeating: "{% for x in list %}", count: 30), String(repeating: "{% endfor %}", count: 30))
        let doubling = loop + "xxxxxxxxxx" + end
        #expect(throws: TemplateError.self) { try render(doubling, Self.values) }
    }

    @Test("the operator's templates go before ours, and a broken one of them is told at the start")
    func custom() async throws {
        try await withTemporaryFolder { folder in
            try write("{% extends '_base.html' %}{% block body %}Mine: {{ link }}{% endblock %}", to: "\(folder)/registration.html")
            try write("{% broken", to: "\(folder)/unused.html")
            let library = try TemplateLibrary(directories: [folder])
            let html = try library.render("registration.html", ["link": "https://x/?a=1&b=2"])
            #expect(html.contains("Mine: https://x/?a=1&amp;b=2") && html.contains("<!DOCTYPE html>"))
            #expect(library.isCustom("registration.html") && !library.isCustom("terms.html"))
            #expect(throws: TemplateError.self) { try library.render("unused.html") }
            try write("{% if %}", to: "\(folder)/terms.html")
            #expect(throws: TemplateError.self) { try TemplateLibrary(directories: [folder]) }
        }
    }

    @Test("every built-in template renders, and mails of text have their link as it is")
    func builtIn() throws {
        let library = try TemplateLibrary(directories: [], values: ["server_name": "example.org"])
        let link = "https://example.org/?a=1&b=2"
        for name in BundledTemplates.all.keys where !name.hasPrefix("_") {
            let text = try library.render(name, ["link": .string(link), "session": "<s>", "error": "<e>"])
            #expect(!text.contains("<s>") && !text.contains("<e>") && !text.contains("{{") && !text.contains("{%"), "\(name)")
            if name == "registration.txt" { #expect(text.contains("\n\(link)\n")) }
        }
    }

    private func write(_ text: String, to path: String) throws {
        try NewFile.write(text, to: path, mode: 0o644)
    }
}
