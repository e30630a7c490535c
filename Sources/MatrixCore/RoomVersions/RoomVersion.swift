// Room versions as one table of traits. Rooms §Room version N; a later version is one more row.

/// What a room version changes in the protocol, as a value that the rest of the code asks.
///
/// Nothing outside this table compares version names: code asks for a trait (`version.restrictedJoins`), so that a new
/// version is a new row. Two values are equal when their ``id`` is.
package struct RoomVersion: Sendable {
    /// The name in `m.room.create`'s `room_version`, for example "12".
    package let id: String
    /// Where an event's identifier and the links to other events come from.
    package let eventFormat: EventFormat
    /// Which keys survive a redaction, and thereby what the reference hash covers.
    package let redactionRules: RedactionRules
    package let stateResolution: StateResolution
    /// Canonical JSON is enforced: integers in ±(2^53 − 1), no floats. Room version 6 and later.
    package let strictJSON: Bool
    /// Signing keys must be valid at `origin_server_ts`. Room version 5 and later.
    package let enforcesKeyValidity: Bool
    /// `m.room.aliases` has an authorization rule of its own. Room versions 1 to 5.
    package let authorizesAliases: Bool
    /// `notifications` of the power levels is protected like `events`. Room version 6 and later.
    package let limitsNotificationLevels: Bool
    /// The join rule `knock` and the membership `knock` exist. Room version 7 and later.
    package let knocking: Bool
    /// The join rule `restricted` exists. Room version 8 and later.
    package let restrictedJoins: Bool
    /// The join rule `knock_restricted` exists. Room version 10 and later.
    package let knockRestricted: Bool
    /// Power levels are integers; their other spellings are refused. Room version 10 and later.
    package let integerPowerLevels: Bool
    /// The creator is the create event's `sender`, not its `content.creator`. Room version 11 and later.
    package let creatorFromSender: Bool
    /// `redacts` is a property of the content, not of the event. Room version 11 and later.
    package let redactsInContent: Bool
    /// The room's id is its create event's hash, and `auth_events` leave the create event out. Room version 12 and later.
    package let createEventDecidesRoomID: Bool
    /// Creators (incl. `additional_creators`) stand above every power level. Room version 12 and later.
    package let creatorsHaveInfinitePower: Bool
    /// How this version's text numbers the authorization rules.
    let ruleNumbering: AuthRuleNumbering

    /// How events are identified. Rooms §Event IDs, §Event format.
    package enum EventFormat: Sendable {
        /// The event carries `event_id`; `prev_events` and `auth_events` are pairs of id and hashes. Room versions 1 and 2.
        case explicitIDs
        /// The id is the reference hash in standard Base64. Room version 3.
        case referenceHash
        /// The id is the reference hash in URL-safe Base64. Room version 4 and later.
        case urlSafeReferenceHash
    }

    /// The state resolution algorithm. Rooms §State resolution.
    package enum StateResolution: Sendable {
        case v1
        case v2
        /// Version 2 that starts from the empty state and adds the conflicted state subgraph. Room version 12.
        case v2_1
    }
}

extension RoomVersion: Hashable {
    package static func == (a: RoomVersion, b: RoomVersion) -> Bool { a.id == b.id }
    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension RoomVersion: CustomStringConvertible {
    package var description: String { id }
}

// MARK: - The table

extension RoomVersion {
    package static let v10 = RoomVersion(
        id: "10", eventFormat: .urlSafeReferenceHash, redactionRules: .v9, stateResolution: .v2,
        strictJSON: true, enforcesKeyValidity: true, authorizesAliases: false, limitsNotificationLevels: true,
        knocking: true, restrictedJoins: true, knockRestricted: true, integerPowerLevels: true,
        creatorFromSender: false, redactsInContent: false,
        createEventDecidesRoomID: false, creatorsHaveInfinitePower: false, ruleNumbering: .v10)

    package static let v11 = RoomVersion(
        id: "11", eventFormat: .urlSafeReferenceHash, redactionRules: .v11, stateResolution: .v2,
        strictJSON: true, enforcesKeyValidity: true, authorizesAliases: false, limitsNotificationLevels: true,
        knocking: true, restrictedJoins: true, knockRestricted: true, integerPowerLevels: true,
        creatorFromSender: true, redactsInContent: true,
        createEventDecidesRoomID: false, creatorsHaveInfinitePower: false, ruleNumbering: .v10)

    package static let v12 = RoomVersion(
        id: "12", eventFormat: .urlSafeReferenceHash, redactionRules: .v11, stateResolution: .v2_1,
        strictJSON: true, enforcesKeyValidity: true, authorizesAliases: false, limitsNotificationLevels: true,
        knocking: true, restrictedJoins: true, knockRestricted: true, integerPowerLevels: true,
        creatorFromSender: true, redactsInContent: true,
        createEventDecidesRoomID: true, creatorsHaveInfinitePower: true, ruleNumbering: .v12)

    /// Every room version this server takes part in, oldest first.
    package static let all: [RoomVersion] = [.v10, .v11, .v12]

    /// The version of this name; `nil` when it is not supported (`M_UNSUPPORTED_ROOM_VERSION`).
    package static func named(_ id: String) -> RoomVersion? {
        all.first { $0.id == id }
    }
}
