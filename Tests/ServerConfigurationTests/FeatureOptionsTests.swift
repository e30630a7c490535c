// The options that turn single features on or off.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct FeatureOptionsTests {
    @Test("features are as Synapse has them, and as the file says")
    func values() throws {
        let plain = try settings("")
        #expect(plain.enableSearch && plain.rtcTransports.isEmpty && !plain.tellsAccountStatus && !plain.hasThreadSubscriptions)
        let configuration = try settings(
            """
            enable_search: false
            matrix_rtc:
              transports:
                - {type: livekit, livekit_service_url: 'https://rtc.example.com/livekit/jwt'}
                - {type: other, anything: 5}
            experimental_features: {msc3720_enabled: true, msc4306_enabled: true}
            """)
        #expect(!configuration.enableSearch && configuration.tellsAccountStatus && configuration.hasThreadSubscriptions)
        #expect(
            configuration.rtcTransports == [
                ["type": "livekit", "livekit_service_url": "https://rtc.example.com/livekit/jwt"], ["type": "other", "anything": 5],
            ])
    }

    @Test("an experiment that this server does not have is named, unless it is off")
    func experiments() throws {
        let result = try read("experimental_features: {msc3026_enabled: true, msc2815_enabled: false, msc3720_enabled: false}")
        #expect(result.problems.isEmpty && result.notBuilt == ["experimental_features.msc3026_enabled"])
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "enable_search: perhaps", "matrix_rtc: {transports: livekit}", "matrix_rtc: {transports: [livekit]}",
            "matrix_rtc: {transports: [{livekit_service_url: 'https://x'}]}", "matrix_rtc: {transports: [{type: livekit}]}",
            "matrix_rtc: 5", "experimental_features: true", "experimental_features: {msc3720_enabled: 5}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }
}
