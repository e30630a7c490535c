// The table of room versions against the changes that their pages name.

import MatrixCore
import Testing

@Suite("Room versions")
struct RoomVersionTests {
    @Test("there are twelve, each found by its name")
    func names() {
        #expect(RoomVersion.all.map(\.id) == (1...12).map { "\($0)" })
        for version in RoomVersion.all { #expect(RoomVersion.named(version.id) == version) }
        for name in ["", "0", "01", "13", "1.0", "org.example", "１"] { #expect(RoomVersion.named(name) == nil) }
    }

    struct Trait: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let versions: ClosedRange<Int>
        let holds: @Sendable (RoomVersion) -> Bool

        init(_ name: String, _ versions: ClosedRange<Int>, _ holds: @escaping @Sendable (RoomVersion) -> Bool) {
            testDescription = name
            self.versions = versions
            self.holds = holds
        }
    }

    @Test(
        "each trait holds in the versions whose pages have it",
        arguments: [
            Trait("event IDs are in the event", 1...2) { $0.eventFormat == .explicitIDs },
            Trait("event IDs are hashes in standard Base64", 3...3) { $0.eventFormat == .referenceHash },
            Trait("event IDs are hashes in URL-safe Base64", 4...12) { $0.eventFormat == .urlSafeReferenceHash },
            Trait("state resolution 1", 1...1) { $0.stateResolution == .v1 },
            Trait("state resolution 2", 2...11) { $0.stateResolution == .v2 },
            Trait("state resolution 2.1", 12...12) { $0.stateResolution == .v2_1 },
            Trait("redactions are authorized", 1...2) { $0.authorizesRedactions },
            Trait("keys must be valid", 5...12) { $0.enforcesKeyValidity },
            Trait("canonical JSON is enforced", 6...12) { $0.strictJSON },
            Trait("aliases are authorized", 1...5) { $0.authorizesAliases },
            Trait("notification levels are protected", 6...12) { $0.limitsNotificationLevels },
            Trait("knocking", 7...12) { $0.knocking },
            Trait("restricted joins", 8...12) { $0.restrictedJoins },
            Trait("knocking at restricted rooms", 10...12) { $0.knockRestricted },
            Trait("power levels are integers", 10...12) { $0.integerPowerLevels },
            Trait("the sender is the creator", 11...12) { $0.creatorFromSender },
            Trait("redacts is in the content", 11...12) { $0.redactsInContent },
            Trait("keys are measured in bytes", 11...12) { $0.measuresFieldsInBytes },
            Trait("the create event decides the room ID", 12...12) { $0.createEventDecidesRoomID },
            Trait("creators have infinite power", 12...12) { $0.creatorsHaveInfinitePower },
        ])
    func traits(_ trait: Trait) {
        for (number, version) in zip(1..., RoomVersion.all) {
            #expect(trait.holds(version) == trait.versions.contains(number), "room version \(version)")
        }
    }
}
