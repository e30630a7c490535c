// Whether an account may do something at all, before the rules of rooms are asked.

import MatrixCore
import ServerConfiguration

/// Stops those who are suspended, who have not agreed to the terms, or for whom the server has no place.
package struct AccountGate: Sendable {
    private let usage: UsageLimits
    /// nil: who has not agreed is not stopped.
    private let consent: ConsentService?

    /// User types that do not agree to terms. Users of application services do not either.
    private static let exemptTypes: Set<String> = ["support", "bot"]

    package init(usage: UsageLimits, consent: ConsentService?) {
        self.usage = usage
        self.consent = consent.flatMap { $0.blocksEvents ? $0 : nil }
    }

    /// - Throws: `M_USER_SUSPENDED`, `M_CONSENT_NOT_GIVEN`, `M_RESOURCE_LIMIT_EXCEEDED`.
    package func check(_ deed: AccountDeed, by requester: Requester) async throws {
        if requester.isSuspended, !deed.isAllowedWhileSuspended { throw MatrixError.userSuspended }
        if let consent, deed.needsConsent, !Self.isExempt(requester) { try consent.check(requester) }
        if usage.concerns(requester) { try await usage.check(requester.user) }
    }

    private static func isExempt(_ requester: Requester) -> Bool {
        requester.isUserOfService || requester.userType.map(exemptTypes.contains) ?? false
    }
}
