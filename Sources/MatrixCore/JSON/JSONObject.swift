// The members of an object in a tree.

/// Keys and values, sorted by key as bytes: iterating gives the canonical order.
package struct JSONObject: Sendable, Hashable, Sequence {
    private var storage: [Member]

    fileprivate struct Member: Sendable, Hashable {
        let key: ByteString
        var value: JSONValue
    }

    package init() {
        storage = []
    }

    /// An object of these members; of a key that comes twice the last value counts.
    package init(_ members: some Sequence<(ByteString, JSONValue)>) {
        var sorted = members.map { Member(key: $0.0, value: $0.1) }
        // The sort is stable: members of the same key stay in their order.
        sorted.sort { $0.key < $1.key }
        storage = []
        storage.reserveCapacity(sorted.count)
        for member in sorted {
            if storage.last?.key == member.key { storage.removeLast() }
            storage.append(member)
        }
    }

    /// The members of a parsed object; none when the value is no object.
    package init(_ json: JSON) {
        self.init(json.members.lazy.map { ($0.key, JSONValue($0.value)) })
    }

    package subscript(_ key: String) -> JSONValue? {
        get { self[ByteString(key)] }
        set { self[ByteString(key)] = newValue }
    }

    package subscript(_ key: ByteString) -> JSONValue? {
        get {
            let position = position(of: key)
            return position < storage.count && storage[position].key == key ? storage[position].value : nil
        }
        set {
            let position = position(of: key)
            let exists = position < storage.count && storage[position].key == key
            switch (exists, newValue) {
            case (true, let value?): storage[position].value = value
            case (true, nil): storage.remove(at: position)
            case (false, let value?): storage.insert(Member(key: key, value: value), at: position)
            case (false, nil): break
            }
        }
    }

    package var count: Int { storage.count }
    package var isEmpty: Bool { storage.isEmpty }
    package var keys: [ByteString] { storage.map(\.key) }
    package var underestimatedCount: Int { storage.count }

    package func makeIterator() -> Iterator { Iterator(members: storage.makeIterator()) }

    package struct Iterator: IteratorProtocol {
        fileprivate var members: IndexingIterator<[Member]>

        package mutating func next() -> (key: ByteString, value: JSONValue)? {
            members.next().map { ($0.key, $0.value) }
        }
    }

    package var canonicalBytes: [UInt8] { JSONValue.object(self).canonicalBytes }

    /// The position of `key`, or where it would be inserted.
    private func position(of key: ByteString) -> Int {
        var low = 0
        var high = storage.count
        while low < high {
            let middle = (low + high) / 2
            if storage[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self.init(members.map { (ByteString($0.0), $0.1) })
    }
}
