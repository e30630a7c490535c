import ServerConfiguration
import Testing

@Suite("Networks")
struct AddressRangeTests {
    @Test(
        "a network has the addresses that begin as it does",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("172.16.0.0/12", "172.31.255.255", true),
            ("172.16.0.0/12", "172.32.0.0", false), ("192.168.1.1", "192.168.1.1", true), ("192.168.1.1", "192.168.1.2", false),
            ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false), ("::1/128", "::1", true), ("::1/128", "::2", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("::ffff:127.0.0.0/104", "127.9.9.9", true), ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false), ("fe80::/10", "10.0.0.1", false),
        ])
    func contains(range: String, address: String, isInside: Bool) throws {
        let network = try #require(AddressRange(range))
        #expect(network.contains(try #require(AddressRange.Address(address))) == isInside)
    }

    @Test(
        "what is no network is none",
        arguments: ["", "10.0.0.0/33", "10.0.0/8", "fe80::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "host", "/8"])
    func malformed(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(
        "by default the internet is allowed, and nothing else",
        arguments: [
            ("8.8.8.8", true), ("2a00::1", true), ("127.0.0.1", false), ("0.0.0.0", false), ("::", false), ("fd00::1", false),
            ("192.168.0.1", false), ("::ffff:10.0.0.1", false),
        ])
    func defaults(address: String, isAllowed: Bool) throws {
        #expect(OutboundConfiguration().allows(try #require(AddressRange.Address(address))) == isAllowed)
        #expect(OutboundConfiguration.privateRanges.count == 19)
    }
}
