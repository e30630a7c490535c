// Who was here within a month, as a value: Synapse's `limit_usage_by_mau`.

import MatrixCore
import Persistence

/// The people who were active in the last 30 days, and whether there is a place for another.
///
/// Users of application services, where it is noted who of them is here, need a place to come in, and take none from others.
package struct MonthlyUsers: Sendable {
    /// In milliseconds.
    private static let month: Int64 = 30 * 86_400 * 1000
    /// How exact the times are, in milliseconds.
    private static let granularity: Int64 = 3600 * 1000

    /// nil: there is no limit.
    private let limit: Int?
    private var lastActive: [UserID: Timestamp] = [:]
    /// Those of them that application services registered.
    private var ofServices: Set<UserID> = []

    package init(limit: Int?, _ rows: [MonthlyUserStore.Row] = []) {
        self.limit = limit
        for row in rows {
            lastActive[row.user] = row.lastActive
            if row.isUserOfService { ofServices.insert(row.user) }
        }
    }

    /// How many places are taken.
    package var count: Int { lastActive.count - ofServices.count }

    package func contains(_ user: UserID) -> Bool { lastActive[user] != nil }

    /// Whether there is a place for another.
    package var hasRoom: Bool { limit.map { count < $0 } ?? true }

    /// Notes that somebody is here.
    ///
    /// - Returns: whether that is to be stored: not within the hour in which it was stored before, and not for those without a place.
    package mutating func note(_ user: UserID, isUserOfService: Bool = false, at now: Timestamp) -> Bool {
        if let last = lastActive[user] {
            guard now.milliseconds - last.milliseconds > Self.granularity else { return false }
        } else {
            guard hasRoom else { return false }
            if isUserOfService { ofServices.insert(user) }
        }
        lastActive[user] = now
        return true
    }

    /// Gives a place to somebody who always has one.
    package mutating func admit(_ user: UserID, at now: Timestamp) { lastActive[user] = now }

    /// Forgets those who were not here for a month, and where more places are taken than there are, those who were here least recently.
    ///
    /// - Parameter reserved: who stays in any case.
    /// - Returns: those who lose their place.
    package mutating func reap(at now: Timestamp, keeping reserved: Set<UserID>) -> [UserID] {
        let gone = lastActive.filter { !reserved.contains($0.key) && now.milliseconds - $0.value.milliseconds > Self.month }.map(\.key)
        for user in gone { remove(user) }
        guard let limit, count > limit else { return gone }
        let places = max(0, limit - reserved.count)
        let others = lastActive.filter { !reserved.contains($0.key) && !ofServices.contains($0.key) }
        let surplus = Array(others.sorted { $0.value > $1.value }.map(\.key).dropFirst(places))
        for user in surplus { remove(user) }
        return gone + surplus
    }

    private mutating func remove(_ user: UserID) {
        lastActive[user] = nil
        ofServices.remove(user)
    }
}
