// A bounded cache of what was used lately.

/// Keeps at most `capacity` entries. Entries live in two generations: a new or used entry goes to the young
/// one; when that has filled half the capacity it becomes the old one, and what was not used since is dropped.
/// That is nearly least-recently-used order without a list to maintain on each read.
package struct RecentCache<Key: Hashable, Value> {
    @usableFromInline var young: [Key: Value] = [:]
    @usableFromInline var old: [Key: Value] = [:]
    @usableFromInline let generationSize: Int

    @inlinable
    package init(capacity: Int) {
        generationSize = max(1, capacity / 2)
    }

    @inlinable
    package var count: Int { young.count + old.count }

    /// The value of `key`, which counts as a use.
    @inlinable
    package mutating func value(for key: Key) -> Value? {
        if let value = young[key] { return value }
        guard let value = old.removeValue(forKey: key) else { return nil }
        insert(value, for: key)
        return value
    }

    @inlinable
    package mutating func insert(_ value: Value, for key: Key) {
        old.removeValue(forKey: key)
        if young.count >= generationSize, young[key] == nil {
            old = young
            young = [:]
        }
        young[key] = value
    }

    @inlinable
    package mutating func remove(_ key: Key) {
        young.removeValue(forKey: key)
        old.removeValue(forKey: key)
    }

    @inlinable
    package mutating func removeAll(where isGone: (Value) -> Bool) {
        young = young.filter { !isGone($0.value) }
        old = old.filter { !isGone($0.value) }
    }
}

extension RecentCache: Sendable where Key: Sendable, Value: Sendable {}
