// Room versions as one table of traits. Rooms §Room version N; a later version is one more row.

/// What a room version changes in the protocol, as a value that the rest of the code asks.
///
/// Nothing outside this table compares version names: code asks for a trait (`version.restrictedJoins`), so that a new
/// version is a new row. Two values are equal when their ``id`` is. The traits of version 1 stand beside their meaning;
/// each later row says what changed against the version before it, as the specification's pages do.
package struct RoomVersion: Sendable {
    /// The name in `m.room.create`'s `room_version`, for example "12".
    package private(set) var id: String
    /// Where an event's identifier and the links to other events come from.
    package private(set) var eventFormat: EventFormat = .explicitIDs
    /// Which keys survive a redaction, and thereby what the reference hash covers.
    package private(set) var redactionRules: RedactionRules = .v1
    package private(set) var stateResolution: StateResolution = .v1
    /// Canonical JSON is enforced: integers in ±(2^53 − 1), no floats. Room version 6 and later.
    package private(set) var strictJSON = false
    /// The keys of an event with a length limit are measured in bytes. In older rooms there are events whose keys are longer
    /// than that in bytes but not in code points, and all of them reject those events. Room version 11 and later.
    package private(set) var measuresFieldsInBytes = false
    /// Signing keys must be valid at `origin_server_ts`. Room version 5 and later.
    package private(set) var enforcesKeyValidity = false
    /// `m.room.aliases` has an authorization rule of its own. Room versions 1 to 5.
    package private(set) var authorizesAliases = true
    /// Whether a redaction is allowed is a matter of the authorization rules. Room versions 1 and 2; later versions accept every
    /// redaction event and decide whether it takes effect.
    package private(set) var authorizesRedactions = true
    /// `notifications` of the power levels is protected like `events`. Room version 6 and later.
    package private(set) var limitsNotificationLevels = false
    /// The join rule `knock` and the membership `knock` exist. Room version 7 and later.
    package private(set) var knocking = false
    /// The join rule `restricted` exists. Room version 8 and later.
    package private(set) var restrictedJoins = false
    /// The join rule `knock_restricted` exists. Room version 10 and later.
    package private(set) var knockRestricted = false
    /// Power levels are integers; their other spellings are refused. Room version 10 and later.
    package private(set) var integerPowerLevels = false
    /// The creator is the create event's `sender`, not its `content.creator`. Room version 11 and later.
    package private(set) var creatorFromSender = false
    /// `redacts` is a property of the content, not of the event. Room version 11 and later.
    package private(set) var redactsInContent = false
    /// The room's id is its create event's hash, and `auth_events` leave the create event out. Room version 12 and later.
    package private(set) var createEventDecidesRoomID = false
    /// Creators (incl. `additional_creators`) stand above every power level. Room version 12 and later.
    package private(set) var creatorsHaveInfinitePower = false
    /// How this version's text numbers the authorization rules.
    private(set) var ruleNumbering: AuthRuleNumbering = .v1

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
    package static let v1 = RoomVersion(id: "1")

    /// State resolution that no longer falls back to old states.
    package static let v2 = v1.followed(by: "2") {
        $0.stateResolution = .v2
    }

    /// Event IDs are hashes, and redactions no matter of the authorization rules.
    package static let v3 = v2.followed(by: "3") {
        $0.eventFormat = .referenceHash
        $0.authorizesRedactions = false
        $0.ruleNumbering = .v3
    }

    /// Event IDs without `/` and `+`.
    package static let v4 = v3.followed(by: "4") {
        $0.eventFormat = .urlSafeReferenceHash
    }

    package static let v5 = v4.followed(by: "5") {
        $0.enforcesKeyValidity = true
    }

    /// Strict canonical JSON; `m.room.aliases` is an event like others.
    package static let v6 = v5.followed(by: "6") {
        $0.strictJSON = true
        $0.authorizesAliases = false
        $0.limitsNotificationLevels = true
        $0.redactionRules = .v6
        $0.ruleNumbering = .v6
    }

    package static let v7 = v6.followed(by: "7") {
        $0.knocking = true
        $0.ruleNumbering = .v7
    }

    package static let v8 = v7.followed(by: "8") {
        $0.restrictedJoins = true
        $0.redactionRules = .v8
        $0.ruleNumbering = .v8
    }

    /// What authorises a restricted join survives its redaction.
    package static let v9 = v8.followed(by: "9") {
        $0.redactionRules = .v9
    }

    package static let v10 = v9.followed(by: "10") {
        $0.knockRestricted = true
        $0.integerPowerLevels = true
        $0.ruleNumbering = .v10
    }

    /// Clearer redactions.
    package static let v11 = v10.followed(by: "11") {
        $0.creatorFromSender = true
        $0.redactsInContent = true
        $0.measuresFieldsInBytes = true
        $0.redactionRules = .v11
    }

    /// Creators with power that nobody can take, room IDs that nobody can choose.
    package static let v12 = v11.followed(by: "12") {
        $0.stateResolution = .v2_1
        $0.createEventDecidesRoomID = true
        $0.creatorsHaveInfinitePower = true
        $0.ruleNumbering = .v12
    }

    /// Every room version this server takes part in, oldest first. All are stable.
    package static let all: [RoomVersion] = [.v1, .v2, .v3, .v4, .v5, .v6, .v7, .v8, .v9, .v10, .v11, .v12]

    /// The version of this name; `nil` when it is not supported (`M_UNSUPPORTED_ROOM_VERSION`).
    package static func named(_ id: String) -> RoomVersion? {
        table[ByteString(id)]
    }

    private static let table = Dictionary(uniqueKeysWithValues: all.map { (ByteString($0.id), $0) })

    private func followed(by id: String, _ change: (inout RoomVersion) -> Void) -> RoomVersion {
        var next = self
        next.id = id
        change(&next)
        return next
    }
}
