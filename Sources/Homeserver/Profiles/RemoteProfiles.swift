// Profiles of users of other servers. Server-Server API §Querying for information.

import Federation
import MatrixCore

/// Asks another server. `FederationClient` does it; tests answer by themselves.
package protocol RemoteProfileSource: Sendable {
    func profile(of user: UserID, field: ByteString?) async throws(FederationFailure) -> JSON
}

extension FederationClient: RemoteProfileSource {}

/// A profile as another server tells it.
package struct RemoteProfile: Sendable, Hashable {
    package let fields: JSONObject
    /// Canonical.
    package let json: [UInt8]

    /// - Returns: nil where it is larger than a profile may be.
    package init?(_ answer: JSON) {
        var fields = JSONObject(answer)
        for field in [ProfileField.displayName, ProfileField.avatarURL] where fields[field]?.string == nil { fields[field] = nil }
        json = fields.canonicalBytes
        guard json.count <= ProfileField.profileLimit else { return nil }
        self.fields = fields
    }
}

/// Fetches profiles, and remembers them for a moment: clients ask for everyone they see, and again for each field.
package final class RemoteProfiles: Sendable {
    private let source: any RemoteProfileSource
    private let fetches: SharedFetches<UserID, RemoteProfile>

    /// Bytes. Larger profiles are not remembered.
    private static let memoryLimit = 4096

    package init(source: any RemoteProfileSource, memory: Duration = .seconds(20)) {
        self.source = source
        fetches = SharedFetches(atOnce: 50, memory: memory, capacity: 1000) { $0.json.count <= Self.memoryLimit }
    }

    /// - Throws: `M_NOT_FOUND`, `M_FORBIDDEN`, or 502.
    package func profile(of user: UserID) async throws -> RemoteProfile {
        try await fetches.value(for: user) { await self.fetch(user) }
    }

    private func fetch(_ user: UserID) async -> Result<RemoteProfile, MatrixError> {
        do throws(FederationFailure) {
            let answer = try await source.profile(of: user, field: nil)
            guard let profile = RemoteProfile(answer) else { throw .malformed("the profile is too large") }
            return .success(profile)
        } catch .answered(let error) where error.status == 404 {
            return .failure(.notFound("Profile was not found"))
        } catch .answered(let error) where error.status == 403 {
            return .failure(error)
        } catch {
            return .failure(MatrixError(error, or: "Failed to fetch profile"))
        }
    }
}
