// The numbers that the server gives out: stream positions, and the numbers of rows.

import Persistence
import Synchronization

/// Sequences of numbers that a restart never gives out twice.
///
/// A number is counted in memory. What makes it safe is table `streams`: no transaction that stores a number commits without
/// a ceiling at or above it, and after a restart counting goes on behind the ceiling. The Journal writes the ceilings, in blocks,
/// in the transaction that stores the rows; a number that was given out and never stored may come again, and nothing knows it.
package final class Sequences: Sendable {
    /// Which sequence.
    package enum Name: String, CaseIterable, Sendable {
        /// Stream positions. Given out by the Journal only.
        case positions
        case events
        case rooms
        case stateKeys = "state_keys"
        case snapshots
        /// Places before all positions, for what happened before a server came into a room: counted downwards from there.
        case past
    }

    /// How far a ceiling is raised beyond what is needed.
    static let block: Int64 = 10_000

    private struct Counters {
        /// The last number given out.
        var last: [Name: Int64]
        /// The ceiling that is durable.
        var reserved: [Name: Int64]
    }

    private let counters: Mutex<Counters>

    private init(reserved: [Name: Int64]) {
        counters = Mutex(Counters(last: reserved, reserved: reserved))
    }

    /// Goes on where the database says that numbers may have been used.
    package static func load(from database: any Database) async throws -> Sequences {
        let ceilings = try await database.read { try StreamStore.ceilings(on: $0) }
        var reserved: [Name: Int64] = [:]
        for name in Name.allCases { reserved[name] = ceilings[name.rawValue] ?? 0 }
        return Sequences(reserved: reserved)
    }

    package func next(_ name: Name) -> Int64 {
        counters.withLock { counters in
            let number = counters.last[name, default: 0] + 1
            counters.last[name] = number
            return number
        }
    }

    // MARK: What the Journal does

    /// The ceilings that must be written so that every number given out so far is covered, and `position` too.
    func ceilingsToRaise(position: Int64) -> [Name: Int64] {
        counters.withLock { counters in
            var raised: [Name: Int64] = [:]
            for name in Name.allCases {
                let last = name == .positions ? position : counters.last[name, default: 0]
                if last > counters.reserved[name, default: 0] { raised[name] = last + Sequences.block }
            }
            return raised
        }
    }

    /// The last numbers themselves, for an orderly stop.
    func exactCeilings(position: Int64) -> [Name: Int64] {
        counters.withLock { counters in
            var exact = counters.last
            exact[.positions] = position
            return exact
        }
    }

    /// The ceilings are durable now.
    func didReserve(_ ceilings: [Name: Int64]) {
        counters.withLock { counters in
            for (name, ceiling) in ceilings { counters.reserved[name] = ceiling }
        }
    }

    static func write(_ ceilings: [Name: Int64], on connection: any SQLConnection) throws {
        for (name, ceiling) in ceilings.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try StreamStore.setCeiling(ceiling, of: name.rawValue, on: connection)
        }
    }

    /// Where the positions stood at the start.
    var initialPosition: Int64 { counters.withLock { $0.last[.positions, default: 0] } }
}
