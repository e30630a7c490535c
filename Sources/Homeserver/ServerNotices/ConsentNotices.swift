// Tells those who have not agreed to the terms where they can: Synapse's `user_consent.server_notice_content`.

import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization

/// Sends each user one notice for each version of the terms.
package final class ConsentNotices: Sendable {
    private let content: JSONObject
    private let tellsGuests: Bool
    private let consent: ConsentService
    private let rooms: NoticeRooms
    private let database: any Database
    /// Who was told lately of the version that is in force.
    private let told = Mutex(RecentCache<UserID, Bool>(capacity: 20_000))

    /// - Returns: nil where there are no terms, or nobody is told.
    package init?(_ options: ConsentOptions?, consent: ConsentService?, rooms: NoticeRooms, database: any Database) {
        guard let options, let consent, let content = options.notice else { return nil }
        self.content = content
        tellsGuests = options.tellsGuests
        self.consent = consent
        self.rooms = rooms
        self.database = database
    }

    /// Whether somebody may have to be told. It costs no look into the database.
    func concerns(_ requester: Requester) -> Bool {
        requester.consentVersion != consent.version && (tellsGuests || !requester.isGuest)
            && told.withLock { $0.value(for: requester.user) } == nil
    }

    func tell(_ user: UserID) async throws {
        let version = consent.version
        // The user of an application service need not have an account, and agrees to nothing then.
        if let last = try await database.read({ try AccountStore.consentNotice(of: user, on: $0) }), last != version {
            try await rooms.send(Self.fill(content, ["consent_uri": consent.uri(for: user)]), to: user)
            try await database.write { try AccountStore.setConsentNotice(version, of: user, on: $0) }
        }
        told.withLock { $0.insert(true, for: user) }
    }

    /// Puts values into all texts of a content.
    private static func fill(_ content: JSONObject, _ values: [String: String]) -> JSONObject {
        JSONObject(content.map { ($0.key, fill($0.value, values)) })
    }

    private static func fill(_ value: JSONValue, _ values: [String: String]) -> JSONValue {
        switch value {
        case .string(let text): .string(PercentTemplate.fill(text, values))
        case .array(let elements): .array(elements.map { fill($0, values) })
        case .object(let object): .object(fill(object, values))
        case .null, .bool, .int, .double: value
        }
    }
}
