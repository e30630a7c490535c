// Push rules of the local users. Client-Server API §Push Rules: API.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Keeps what users changed of the default push rules. Rulesets that are in use stay in memory.
package final class PushRuleService: Sendable {
    /// A user's rules and the position of their last change; -1 where they changed nothing.
    private struct Known {
        let ruleset: PushRuleset
        let position: Int64
    }

    private struct Cache {
        var known: RecentCache<UserID, Known>
        /// Raised by every write: what was read before it must not be put back.
        var epoch: UInt64 = 0
    }

    /// How much a user may store, in bytes of JSON: about a thousand rules.
    private static let byteLimit = 256 * 1024

    private let database: any Database
    private let journal: Journal
    private let hasThreadSubscriptions: Bool
    private let cache: Mutex<Cache>

    /// - Parameter hasThreadSubscriptions: whether users may follow threads, and have push rules about them.
    package init(database: any Database, journal: Journal, hasThreadSubscriptions: Bool = false, capacity: Int = 2000) {
        self.database = database
        self.journal = journal
        self.hasThreadSubscriptions = hasThreadSubscriptions
        cache = Mutex(Cache(known: RecentCache(capacity: capacity)))
    }

    package func ruleset(of user: UserID) async throws -> PushRuleset {
        try await known(user).ruleset
    }

    /// The rules as the content of `m.push_rules`.
    package func rendered(for user: UserID) async throws -> [UInt8] {
        try await known(user).ruleset.json
    }

    /// The rules as the content of `m.push_rules`, if they changed after `position`; always if that is nil.
    package func rendered(for user: UserID, ifChangedAfter position: StreamPosition?) async throws -> [UInt8]? {
        let known = try await known(user)
        if let position, known.position <= position.value { return nil }
        return known.ruleset.json
    }

    // MARK: Changing

    /// Adds or replaces a rule.
    package func put(_ rule: PushRule, at place: PushRuleChanges.Place, for user: UserID) async throws {
        try await change(user) { changes throws(MatrixError) in try changes.put(rule, at: place) }
    }

    /// - Throws: `M_NOT_FOUND`.
    package func remove(_ kind: PushRule.Kind, _ id: ByteString, of user: UserID) async throws {
        try await change(user) { changes throws(MatrixError) in try changes.remove(kind, id) }
    }

    /// - Throws: `M_NOT_FOUND`.
    package func setEnabled(_ isEnabled: Bool, _ kind: PushRule.Kind, _ id: ByteString, of user: UserID) async throws {
        try checkExists(kind)
        try await change(user) { changes throws(MatrixError) in try changes.setEnabled(isEnabled, kind, id) }
    }

    /// - Throws: `M_NOT_FOUND`.
    package func setActions(_ actions: [JSONValue], _ kind: PushRule.Kind, _ id: ByteString, of user: UserID) async throws {
        try checkExists(kind)
        try await change(user) { changes throws(MatrixError) in try changes.setActions(actions, kind, id) }
    }

    /// Gives a user for `new` the rules that they have for `old`.
    package func copyRules(of old: RoomID, to new: RoomID, for user: UserID) async throws {
        guard try await ruleset(of: user).rules.contains(where: { $0.concerns(old) }) else { return }
        try await change(user) { changes throws(MatrixError) in try changes.copyRules(of: old, to: new) }
    }

    // MARK: Steps

    /// The server's rules about threads are none where nobody can follow threads.
    private func checkExists(_ kind: PushRule.Kind) throws(MatrixError) {
        guard kind != .postcontent || hasThreadSubscriptions else { throw .notFound("Push rule not found") }
    }

    private func change(
        _ user: UserID, by mutate: @escaping @Sendable (inout PushRuleChanges) throws(MatrixError) -> Void
    ) async throws {
        let record = PushRuleRecord(user: user, byteLimit: Self.byteLimit, mutate: mutate)
        // A change that is refused is refused here, before it can hold up the Journal.
        _ = try await database.read { try record.changed(on: $0) }
        try await journal.append(JournalBatch(records: [record]))
        cache.withLock {
            $0.epoch += 1
            $0.known.remove(user)
        }
    }

    private func known(_ user: UserID) async throws -> Known {
        let (known, epoch) = cache.withLock { ($0.known.value(for: user), $0.epoch) }
        if let known { return known }
        let stored = try await database.read { try PushRuleStore.changes(of: user, on: $0) }
        let changes = try PushRuleRecord.changes(stored?.changes)
        let ruleset = PushRuleset(user: user, changes: changes, hasThreadSubscriptions: hasThreadSubscriptions)
        let loaded = Known(ruleset: ruleset, position: stored?.position ?? -1)
        cache.withLock {
            if $0.epoch == epoch { $0.known.insert(loaded, for: user) }
        }
        return loaded
    }
}

/// A change of push rules in the Journal: it reads, changes and writes in one transaction, so that changes made at the
/// same time all count.
private struct PushRuleRecord: JournalRecord {
    let user: UserID
    let byteLimit: Int
    let mutate: @Sendable (inout PushRuleChanges) throws(MatrixError) -> Void

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try PushRuleStore.set(try changed(on: connection), of: user, position: position.value, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .accountData(user: user, room: nil))
    }

    /// What is stored after the change.
    func changed(on connection: any SQLConnection) throws -> [UInt8] {
        var changes = try Self.changes(try PushRuleStore.changes(of: user, on: connection)?.changes)
        try mutate(&changes)
        let json = changes.json
        guard json.count <= byteLimit else { throw MatrixError.tooLarge("Too many push rules") }
        return json
    }

    static func changes(_ stored: [UInt8]?) throws -> PushRuleChanges {
        guard let stored else { return PushRuleChanges() }
        return PushRuleChanges(stored: try JSONDocument(parsing: stored).root)
    }
}
