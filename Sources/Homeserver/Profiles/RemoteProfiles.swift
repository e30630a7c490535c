// Profiles of users of other servers. Server-Server API §Querying for information.

import Federation
import MatrixCore
import Synchronization

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
    private typealias Flight = Outcome<Result<RemoteProfile, MatrixError>>

    private struct State {
        var recent = RecentCache<UserID, (profile: RemoteProfile, at: ContinuousClock.Instant)>(capacity: 1000)
        var flights: [UserID: Flight] = [:]
    }

    /// Bytes. Larger profiles are not remembered.
    private static let memoryLimit = 4096

    private let source: any RemoteProfileSource
    private let memory: Duration
    private let state = Mutex(State())
    /// Requests under way.
    private let slots = Slots(50)

    package init(source: any RemoteProfileSource, memory: Duration = .seconds(20)) {
        self.source = source
        self.memory = memory
    }

    /// - Throws: `M_NOT_FOUND`, `M_FORBIDDEN`, or 502.
    package func profile(of user: UserID) async throws -> RemoteProfile {
        enum Step { case known(RemoteProfile), wait(Flight), launch(Flight) }
        let step = state.withLock { state -> Step in
            if let known = state.recent.value(for: user), known.at.duration(to: .now) < memory { return .known(known.profile) }
            if let flight = state.flights[user] { return .wait(flight) }
            let flight = Flight()
            state.flights[user] = flight
            return .launch(flight)
        }
        let flight: Flight
        switch step {
        case .known(let profile): return profile
        case .wait(let under): flight = under
        case .launch(let new):
            flight = new
            Task {
                let outcome = await slots.run { await self.fetch(user) }
                state.withLock { state in
                    state.flights[user] = nil
                    if case .success(let profile) = outcome, profile.json.count <= Self.memoryLimit {
                        state.recent.insert((profile, .now), for: user)
                    }
                }
                new.resolve(outcome)
            }
        }
        guard let outcome = await flight.value() else { throw CancellationError() }
        return try outcome.get()
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
