// Whether events are signed as they must be. Server-Server API §Validating hashes and signatures on received events.

/// Why the signatures of an event do not hold.
package enum SignatureFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The server that must have signed has not, or only by algorithms that are not known here.
    case missing(ServerName)
    /// None of the keys it signed with is at hand and valid at the event's time.
    case noValidKey(ServerName)
    /// A signature is not of this event, or not by this key.
    case wrong(ServerName, keyID: ByteString)
    /// The event does not even say who must have signed it.
    case malformed(String)

    package var description: String {
        switch self {
        case .missing(let server): "\(server) has not signed the event"
        case .noValidKey(let server): "no valid key of \(server) is known with which it signed the event"
        case .wrong(let server, let keyID): "the signature of \(server) by \(keyID) is wrong"
        case .malformed(let reason): reason
        }
    }
}

/// What the hashes and signatures of a received event say.
package enum EventVerdict: Sendable, Hashable {
    case intact
    /// Signed as it must be, but its content is not what was hashed: it is to be redacted before it is used.
    case contentAltered
    /// To be dropped.
    case refused(SignatureFailure)
}

package enum EventSignatures {
    /// How many signatures of one server are looked at. Servers sign with one key, or two while they change it.
    package static let limit = 16

    private static let algorithm: ByteString = "ed25519:"

    /// The keys that it takes to verify `events`, each once, with the latest time at which it must be valid.
    package static func requirements(of events: some Sequence<Event>) -> [ServerKeyRequirement] {
        var latest: [ServerName: [ByteString: Timestamp]] = [:]
        for event in events {
            let time = event.version.enforcesKeyValidity ? event.originServerTimestamp : Timestamp(milliseconds: 0)
            // An event that is not well formed needs no keys; verifying it says why.
            guard let signers = try? requiredSigners(of: event) else { continue }
            for server in signers {
                for (keyID, _) in signatures(of: server, on: event) {
                    latest[server, default: [:]][keyID] = max(time, latest[server]?[keyID] ?? time)
                }
            }
        }
        return latest.flatMap { server, keys in
            keys.map { ServerKeyRequirement(server: server, keyID: $0.key, minimumValidUntil: $0.value) }
        }
    }

    /// Checks that all servers which must have signed `event` have.
    ///
    /// Of each server one signature must be by a key that is known and valid at the event's time, and none of those may be wrong.
    package static func verify(_ event: Event, keys: ServerKeys) throws(SignatureFailure) {
        let signers: [ServerName]
        let signed: [UInt8]
        do {
            signers = try requiredSigners(of: event)
            signed = try event.signedBytes()
        } catch {
            throw .malformed("\(error)")
        }
        for server in signers { try verify(event, signedBytes: signed, by: server, keys: keys) }
    }

    private static func verify(
        _ event: Event, signedBytes: [UInt8], by server: ServerName, keys: ServerKeys
    ) throws(SignatureFailure) {
        let signatures = signatures(of: server, on: event)
        guard !signatures.isEmpty else { throw .missing(server) }
        let time = event.version.enforcesKeyValidity ? event.originServerTimestamp : nil
        var isVerified = false
        for (keyID, signature) in signatures {
            guard let key = keys[server, keyID], key.isValid(at: time) else { continue }
            guard key.key.verify(signature, of: signedBytes) else { throw .wrong(server, keyID: keyID) }
            isVerified = true
        }
        guard isVerified else { throw .noValidKey(server) }
    }

    /// Signatures and content hash in one.
    package static func verdict(on event: Event, keys: ServerKeys) -> EventVerdict {
        do {
            try verify(event, keys: keys)
        } catch {
            return .refused(error)
        }
        do {
            return try event.hasValidContentHash() ? .intact : .contentAltered
        } catch {
            return .refused(.malformed("\(error)"))
        }
    }

    private static func signatures(of server: ServerName, on event: Event) -> [(keyID: ByteString, signature: String)] {
        // The bytes of an event were parsed when it was made; no signature is found in what is no JSON.
        let all = (try? event.signatures(of: server)) ?? []
        return Array(all.lazy.filter { $0.keyID.hasPrefix(algorithm) }.prefix(limit))
    }
}

// MARK: - Many at once

extension EventSignatures {
    /// The verdicts on many events (a transaction, the answer to a `send_join`), in their order, found on several cores.
    ///
    /// A verification is 0.1 ms of pure computation, so a `send_join` of a large room is seconds of it. This is the one place of
    /// MatrixCore where that matters, hence the one asynchronous function: it waits for nothing but its own child tasks, and the
    /// caller need not know how work is best split. Each task takes every `width`-th event, which spreads long and short ones.
    ///
    /// - Parameters:
    ///   - keys: what ``requirements(of:)`` asked for, as far as it could be had.
    ///   - width: how many cores to use.
    /// - Throws: `CancellationError` when the calling task was cancelled.
    package static func verdicts(
        on events: [Event], keys: ServerKeys, width: Int
    ) async throws(CancellationError) -> [EventVerdict] {
        let width = max(1, min(width, events.count))
        guard width > 1 else { return try part(of: events, keys: keys, from: 0, every: 1).map(\.verdict) }
        let parts = await withTaskGroup(of: Result<[(index: Int, verdict: EventVerdict)], CancellationError>.self) { group in
            for first in 0..<width {
                // Not where the caller runs: that thread has connections to serve.
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    Result { () throws(CancellationError) in
                        try part(of: events, keys: keys, from: first, every: width)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // Each place is filled by the one part that it belongs to.
        var verdicts = [EventVerdict](repeating: .refused(.malformed("")), count: events.count)
        for part in parts {
            for (index, verdict) in try part.get() { verdicts[index] = verdict }
        }
        return verdicts
    }

    private static func part(
        of events: [Event], keys: ServerKeys, from first: Int, every step: Int
    ) throws(CancellationError) -> [(index: Int, verdict: EventVerdict)] {
        var verdicts: [(index: Int, verdict: EventVerdict)] = []
        for index in stride(from: first, to: events.count, by: step) {
            if Task.isCancelled { throw CancellationError() }
            verdicts.append((index, verdict(on: events[index], keys: keys)))
        }
        return verdicts
    }
}
