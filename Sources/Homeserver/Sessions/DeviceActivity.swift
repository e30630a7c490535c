// When and from where devices were last used, written now and then. Client-Server API §Device Management.

import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Collects the use of devices in memory and writes it some seconds later, each device at most every two minutes: a request
/// costs a dictionary access, not a write. Who wants to know writes first.
package final class DeviceActivity: Service {
    private struct Key: Hashable, Sendable {
        let user: UserID
        let device: DeviceID
        let address: ByteString?
    }

    private struct Use: Sendable {
        let time: Timestamp
        let userAgent: String?
    }

    private struct State {
        var pending: [Key: Use] = [:]
        /// When each device was noted last, from each address.
        var noted: RecentCache<Key, Timestamp>
    }

    /// How exact the time is, in milliseconds.
    private static let granularity: Int64 = 120_000
    /// Stands for application services that name no device; Synapse's name.
    private static let deviceOfServices = DeviceID(trusted: "dummy-device")
    /// How many devices one statement writes.
    private static let batchLimit = 1000

    private let database: any Database
    /// Who else is told of those who are here.
    private let usage: UsageLimits?
    private let state = Mutex(State(noted: RecentCache(capacity: 20_000)))
    private let writing = Chore(after: .seconds(15))

    init(database: any Database, usage: UsageLimits? = nil) {
        self.database = database
        self.usage = usage
    }

    /// Notes a request of a device.
    package func note(_ requester: Requester, address: String?, userAgent: String?) {
        guard let device = requester.device ?? (requester.service == nil ? nil : Self.deviceOfServices) else { return }
        let key = Key(user: requester.user, device: device, address: address.map { ByteString(Self.storable($0)) })
        let now = Timestamp.now
        let isFirst = state.withLock {
            if let last = $0.noted.value(for: key), now.milliseconds - last.milliseconds < Self.granularity { return false }
            $0.noted.insert(now, for: key)
            $0.pending[key] = Use(time: now, userAgent: userAgent.map(Self.storable))
            return $0.pending.count == 1
        }
        if isFirst { writing.isNeeded() }
    }

    /// Texts from headers may hold what a database cannot.
    private static func storable(_ text: String) -> String {
        text.utf8.contains(0) ? String(text.unicodeScalars.filter { $0 != "\0" }) : text
    }

    /// Writes what was noted, until the server stops.
    package func run() async throws {
        await writing.run { await self.write() }
        await write()
    }

    /// Writes what was noted since the last time. What cannot be written is kept for the next time.
    package func write() async {
        let pending = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
        guard !pending.isEmpty else { return }
        let uses = pending.map { key, use in
            DeviceUse(user: key.user, device: key.device, time: use.time, address: key.address?.string, userAgent: use.userAgent)
        }
        do {
            for start in stride(from: 0, to: uses.count, by: Self.batchLimit) {
                let batch = Array(uses[start..<min(start + Self.batchLimit, uses.count)])
                try await database.write { connection in
                    try DeviceStore.setLastSeen(Self.newest(batch), on: connection)
                    try UserAddressStore.put(batch, on: connection)
                }
            }
            try await usage?.note(Set(pending.keys.map(\.user)))
        } catch {
            state.withLock { $0.pending.merge(pending) { newer, _ in newer } }
            writing.isNeeded()
        }
    }

    /// Of each device, the newest use.
    private static func newest(_ uses: [DeviceUse]) -> [DeviceUse] {
        var newest: [Key: DeviceUse] = [:]
        for use in uses {
            let key = Key(user: use.user, device: use.device, address: nil)
            if let other = newest[key], other.time > use.time { continue }
            newest[key] = use
        }
        return Array(newest.values)
    }
}
