// What expressions of templates can do with texts, lists and mappings.

import Homeserver
import MatrixCore
import Testing

@Suite("Methods in templates") struct TemplateMethodTests {
    private static let values: TemplateValues = [
        "email": "Alice.Liddell@x.example", "name": " white rabbit's ", "list": ["a", "b", "c"], "map": ["k": "v", "n": 5],
    ]

    @Test(
        "methods, parts and places",
        arguments: [
            ("{{ email.split('@')[0] }}", "Alice.Liddell"), ("{{ email.split('.', 1)[1] }}", "Liddell@x.example"),
            ("{{ email.split('@')|first|lower }}", "alice.liddell"), ("{{ name.split()[1] }}", "rabbit's"),
            ("{{ email.lower().upper() }}", "ALICE.LIDDELL@X.EXAMPLE"), ("{{ name.strip().title() }}", "White Rabbit'S"),
            ("{{ name|trim|title }}", "White Rabbit'S"), ("{{ name.strip().capitalize() }}", "White rabbit's"),
            ("{{ email.replace('@', '-').replace('.', '') }}", "AliceLiddell-xexample"), ("{{ email.startswith('Al') }}", "True"),
            ("{{ email.endswith('.org') }}", "False"), ("{{ email.removesuffix('@x.example') }}", "Alice.Liddell"),
            ("{{ email.removeprefix('Alice.') }}", "Liddell@x.example"), ("{{ '-'.join(list) }}", "a-b-c"), ("{{ list[-1] }}", "c"),
            ("{{ list[1:]|join }}", "bc"), ("{{ email[:5] }}", "Alice"), ("{{ email[-7:] }}", "example"), ("{{ email[2] }}", "i"),
            ("{{ list[5] }}", ""), ("{{ map.get('k') }}", "v"), ("{{ map.get('x', 'none') }}", "none"),
            ("{{ map.keys()|join(',') }}", "k,n"),
            ("{{ 'xxabxx'.strip('x') }}", "ab"), ("{{ '//a/'.lstrip('/') }}", "a/"), ("{{ missing.split('@')[0] }}", ""),
            ("{{ 5.lower() }}", ""),
        ])
    func methods(text: String, expected: String) throws {
        let library = try TemplateLibrary(directories: [], builtIn: ["t.txt": text])
        #expect(try library.render("t.txt", Self.values) == expected)
    }

    @Test("an address of a picture comes from its mxc: address, and from nothing else")
    func pictures() throws {
        let library = try TemplateLibrary(directories: [], builtIn: ["t.txt": "{{ icon | mxc_to_http(32, 32) }}"])
        #expect(
            try library.render("t.txt", ["icon": "mxc://x.example/abc"])
                == "/_matrix/media/v1/thumbnail/x.example/abc?width=32&height=32&method=crop")
        #expect(try library.render("t.txt", ["icon": "https://evil.example/"]) == "")
    }
}
