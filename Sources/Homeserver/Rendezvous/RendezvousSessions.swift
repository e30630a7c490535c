// Where two devices leave each other messages of which one logs the other in, as a value. MSC4108, MSC4388.

import Crypto
import MatrixCore

/// What is left at a meeting place, and until when.
package struct RendezvousSession: Sendable, Equatable {
    package fileprivate(set) var data: [UInt8]
    /// Changes with the data.
    package fileprivate(set) var tag: String
    /// The tag before the last change: who repeats a change whose answer was lost is not refused.
    fileprivate var previousTag: String?
    package fileprivate(set) var lastModified: Timestamp
    package let expiry: Timestamp
}

/// A bounded number of meeting places, each for a short time. What is left there is encrypted by the devices; nothing of it is stored.
package struct RendezvousSessions: Sendable {
    package struct Limits: Sendable {
        package var count = 1000
        /// Bytes of one message.
        package var size = 4 * 1024
        /// Milliseconds.
        package var lifetime: Int64

        package init(lifetime: Int64) { self.lifetime = lifetime }
    }

    package enum Change: Sendable, Equatable {
        case done(RendezvousSession)
        /// Somebody else has left something since.
        case conflict(RendezvousSession)
        case unknown
    }

    package let limits: Limits
    /// By the hashes of their ids: whoever knows the id has the session, and no guess may tell of it by its time.
    private var sessions: [TokenHash: RendezvousSession] = [:]
    /// The hashes in the order in which they were made; some may be gone.
    private var order: [TokenHash] = []

    package init(limits: Limits) {
        self.limits = limits
    }

    package var count: Int { sessions.count }

    /// - Parameter id: one that cannot be guessed.
    package mutating func begin(_ id: String, _ data: [UInt8], at now: Timestamp) -> RendezvousSession {
        makeRoom(at: now)
        let session = RendezvousSession(
            data: data, tag: Self.tag(of: data, at: now), lastModified: now, expiry: now.advanced(byMilliseconds: limits.lifetime))
        let hash = TokenHash(id)
        sessions[hash] = session
        order.append(hash)
        return session
    }

    package func session(_ id: String, at now: Timestamp) -> RendezvousSession? {
        sessions[TokenHash(id)].flatMap { $0.expiry > now ? $0 : nil }
    }

    /// Leaves something else, where nobody else has since `tag`.
    package mutating func change(_ id: String, to data: [UInt8], since tags: [String], at now: Timestamp) -> Change {
        guard var session = session(id, at: now) else { return .unknown }
        guard tags.contains(session.tag) || tags.contains("*") else {
            let isRepeated = session.previousTag.map(tags.contains) == true && session.data == data
            return isRepeated ? .done(session) : .conflict(session)
        }
        session.previousTag = session.tag
        session.data = data
        session.tag = Self.tag(of: data, at: now)
        session.lastModified = now
        sessions[TokenHash(id)] = session
        return .done(session)
    }

    package mutating func end(_ id: String, at now: Timestamp) -> Bool {
        guard session(id, at: now) != nil else { return false }
        sessions[TokenHash(id)] = nil
        return true
    }

    /// Removes what has expired, and the oldest where there are too many. All live equally long: the oldest expire first.
    private mutating func makeRoom(at now: Timestamp) {
        var kept = 0
        while kept < order.count {
            if let session = sessions[order[kept]], session.expiry > now, sessions.count < limits.count { break }
            sessions[order[kept]] = nil
            kept += 1
        }
        order.removeFirst(kept)
    }

    private static func tag(of data: [UInt8], at now: Timestamp) -> String {
        Base64.encode(Array(SHA256.hash(data: data + Array("\(now)".utf8))), .urlSafe)
    }
}
