// Whether an account may do something at all, before the rules of rooms are asked.

import MatrixCore
import Rooms
import ServerConfiguration

/// Stops those who are suspended, who have not agreed to the terms, or for whom the server has no place.
package struct AccountGate: Sendable {
    private let usage: UsageLimits
    /// nil: who has not agreed is not stopped.
    private let consent: ConsentService?
    private let rooms: RoomRegistry?

    /// User types that do not agree to terms. Users of application services do not either.
    private static let exemptTypes: Set<String> = ["support", "bot"]

    /// - Parameter rooms: of which some may be entered before the terms are agreed to; nil: none may.
    package init(usage: UsageLimits, consent: ConsentService?, rooms: RoomRegistry? = nil) {
        self.usage = usage
        self.rooms = rooms
        self.consent = consent.flatMap { $0.blocksEvents ? $0 : nil }
    }

    /// - Parameter room: where it is done, as far as the request tells.
    /// - Throws: `M_USER_SUSPENDED`, `M_CONSENT_NOT_GIVEN`, `M_RESOURCE_LIMIT_EXCEEDED`.
    package func check(_ deed: AccountDeed, by requester: Requester, in room: RoomID? = nil) async throws {
        if requester.isSuspended, !deed.isAllowedWhileSuspended { throw MatrixError.userSuspended }
        if let consent, deed.needsConsent, !Self.isExempt(requester) {
            do throws(MatrixError) {
                try consent.check(requester)
            } catch {
                // The server's own room is where people are told of the terms.
                guard deed == .join, try await isNoticeRoom(room) else { throw error }
            }
        }
        if usage.concerns(requester) { try await usage.check(requester.user) }
    }

    private func isNoticeRoom(_ id: RoomID?) async throws -> Bool {
        guard let rooms, let id, let room = try await rooms.room(id) else { return false }
        return rooms.environment.isNoticeRoom(room.current)
    }

    private static func isExempt(_ requester: Requester) -> Bool {
        requester.isUserOfService || requester.userType.map(exemptTypes.contains) ?? false
    }
}
