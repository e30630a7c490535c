// The decisions of the key ring: which keys are at hand, and whom to ask for others.

import MatrixCore
import Persistence

/// Keys in memory, a bounded number.
struct KeyCache {
    private var servers: RecentCache<ServerName, [ByteString: ServerKey]>

    /// How many keys of one server are kept.
    private static let keyLimit = 256

    init(serverLimit: Int = 10_000) {
        servers = RecentCache(capacity: serverLimit)
    }

    /// Those that are at hand are added to `keys`; the others are returned. A key that does not hold long enough is added and returned: it may
    /// be that nothing better is to be had, and whether it will do is for those to say who verify with it.
    mutating func fill(_ keys: inout ServerKeys, _ requirements: [ServerKeyRequirement]) -> [ServerKeyRequirement] {
        requirements.filter { requirement in
            guard let key = servers.value(for: requirement.server)?[requirement.keyID] else { return true }
            keys[requirement.server, requirement.keyID] = key
            return key.validUntil < requirement.minimumValidUntil
        }
    }

    mutating func insert(_ rows: [ServerKeyRow]) {
        for row in rows {
            guard let key = VerifyKey(base64: row.verifyKey) else { continue }
            var known = servers.value(for: row.server) ?? [:]
            if known.count >= Self.keyLimit { known = [:] }
            known[row.keyID] = ServerKey(key, validUntil: row.validUntil)
            servers.insert(known, for: row.server)
        }
    }
}

/// How often a server is asked for its keys: whoever claims its name could have it asked again and again.
package struct FetchAllowance {
    private var fruitless = 0
    private var last = Timestamp(milliseconds: 0)

    package init() {}

    /// So many fetches in a row may bring nothing new before there are pauses.
    package static let free = 10
    private static let firstPause: Int64 = 2000
    private static let longestPause: Int64 = 600_000

    package func allows(at now: Timestamp) -> Bool {
        guard fruitless > Self.free else { return true }
        let pause = min(Self.firstPause << Int64(min(fruitless - Self.free - 1, 20)), Self.longestPause)
        return now >= last.advanced(byMilliseconds: pause)
    }

    package mutating func note(isFruitful: Bool, at now: Timestamp) {
        // Those that were asked long ago begin anew.
        if now > last.advanced(byMilliseconds: Self.longestPause * 2) { fruitless = 0 }
        last = now
        fruitless = isFruitful ? 0 : fruitless + 1
    }
}

/// Keys that are wanted, by server.
typealias WantedKeys = [ServerName: [ByteString: Timestamp]]

extension Sequence<ServerKeyRequirement> {
    var byServer: WantedKeys {
        reduce(into: [:]) { wanted, requirement in
            let time = requirement.minimumValidUntil
            let known = wanted[requirement.server]?[requirement.keyID]
            wanted[requirement.server, default: [:]][requirement.keyID] = Swift.max(known ?? time, time)
        }
    }
}
