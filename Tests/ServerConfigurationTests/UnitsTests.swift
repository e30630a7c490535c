// Scalars, sizes and durations as PyYAML and Synapse take them.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct UnitsTests {
    private func node(_ text: String) throws -> ConfigNode {
        try #require(try YAMLFile.parse("value: \(text)", file: "x")["value"])
    }

    @Test(
        "a size is bytes, or a number with K, M, G or T",
        arguments: [
            ("50M", 50 << 20), ("1K", 1024), ("2G", 2 << 30), ("1T", 1 << 40), ("123", 123), ("\"123\"", 123), ("0", 0), ("5m", nil),
            ("M", nil),
            ("-1", nil), ("1.5M", nil), ("99999999999T", nil), ("true", nil), ("[1]", nil),
        ])
    func sizes(text: String, bytes: Int?) throws {
        #expect(Units.bytes(try node(text)) == bytes)
    }

    @Test(
        "a duration is milliseconds, or a number with s, m, h, d, w or y",
        arguments: [
            ("5m", 300_000), ("30s", 30_000), ("1h", 3_600_000), ("2d", 172_800_000), ("1w", 604_800_000), ("1y", 31_536_000_000),
            ("1500", 1500),
            ("\"1500\"", 1500), ("5M", nil), ("5 minutes", nil), ("-5m", nil), ("", nil),
        ])
    func durations(text: String, milliseconds: Int?) throws {
        #expect(Units.duration(try node(text)) == milliseconds.map { .milliseconds($0) })
    }

    @Test(
        "a scalar without quotes means what PyYAML takes it for",
        arguments: [
            ("yes", "bool(true)"), ("Off", "bool(false)"), ("TRUE", "bool(true)"), ("~", "null"), ("Null", "null"), ("0x1F", "int(31)"),
            ("010", "int(8)"), ("0o10", "int(8)"), ("1_000", "int(1000)"), ("-5", "int(-5)"), ("1.5", "double(1.5)"), (".5", "double(0.5)"),
            ("'yes'", "string(\"yes\")"), ("\"5\"", "string(\"5\")"), ("1.2.3.4", "string(\"1.2.3.4\")"), ("a: b", ""),
            ("y", "string(\"y\")"),
        ])
    func scalars(text: String, expected: String) throws {
        guard !expected.isEmpty else {
            #expect(throws: ConfigurationProblem.self) { try node(text) }
            return
        }
        #expect("\(try node(text).value)" == expected)
    }

    @Test("a password of digits keeps its zeros")
    func digits() throws {
        #expect(try node("007").textValue == "007")
        #expect(try node("1e5").textValue == "1e5")
        #expect(try node("true").textValue == nil)
    }

    @Test("anchors and merge keys are followed")
    func anchors() throws {
        let root = try YAMLFile.parse("a: &x {per_second: 1, burst_count: 2}\nb: {<<: *x, burst_count: 3}", file: "x")
        #expect("\(root["b"]?["per_second"]?.value ?? .null)" == "int(1)")
        #expect("\(root["b"]?["burst_count"]?.value ?? .null)" == "int(3)")
    }
}
