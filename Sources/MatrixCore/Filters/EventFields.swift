// Which properties of events a client wants to see. Client-Server API §Filtering, `event_fields`.

/// The `event_fields` of a filter: a tree of property names.
package struct EventFields: Sendable, Hashable {
    private let root: Node

    private struct Node: Sendable, Hashable {
        /// Whether the property is wanted with everything in it.
        var isWanted = false
        var children: [ByteString: Node] = [:]

        mutating func insert(_ names: ArraySlice<ByteString>) {
            guard let name = names.first else {
                isWanted = true
                return
            }
            children[name, default: Node()].insert(names.dropFirst())
        }
    }

    /// - Parameter paths: dot-separated property paths. The empty list keeps nothing.
    package init(paths: [String]) {
        var root = Node()
        for path in paths {
            let names = PropertyPath(path).names
            // No event is nested deeper; and the tree must not be either, because it is walked recursively.
            if names.count <= JSONLimits.eventDepth { root.insert(names[...]) }
        }
        self.root = root
    }

    /// Writes the object `event` with only the properties wanted, in their order. Objects of which nothing is wanted are left
    /// out rather than written empty.
    package func write(_ event: JSON, to writer: inout JSONWriter) {
        Self.write(event, node: root, to: &writer)
    }

    private static func write(_ object: JSON, node: Node, to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, value) in object.members {
                guard let child = node.children[name], keepsSomething(of: value, node: child) else { continue }
                writer.key(name)
                if child.isWanted {
                    writer.json(value)
                } else {
                    write(value, node: child, to: &writer)
                }
            }
        }
    }

    private static func keepsSomething(of value: JSON, node: Node) -> Bool {
        if node.isWanted { return true }
        return value.isObject
            && value.members.contains { name, value in
                node.children[name].map { keepsSomething(of: value, node: $0) } ?? false
            }
    }
}
