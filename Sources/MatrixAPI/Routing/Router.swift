// From a raw path to an endpoint. Paths are matched as they were sent, segment by segment between `/`, undecoded, so that an encoded
// slash in an identifier stays inside its parameter; each parameter is decoded once, by the handler that asks for it.

/// One template of a route, with the names of its parameters in order.
package final class Endpoint: Sendable {
    package let route: Route
    package let template: String
    let parameterNames: [String]

    init(route: Route, template: String, parameterNames: [String]) {
        self.route = route
        self.template = template
        self.parameterNames = parameterNames
    }
}

/// Where the parameters of a matched path stand in the request target, as offsets into its UTF-8.
package struct PathParameters: Sendable {
    let names: [String]
    let ranges: [Range<Int>]

    package static let none = PathParameters(names: [], ranges: [])

    package func raw(_ name: String, in target: String) -> Substring? {
        guard let index = names.firstIndex(of: name) else { return nil }
        let utf8 = target.utf8
        let start = utf8.index(utf8.startIndex, offsetBy: ranges[index].lowerBound)
        return target[start..<utf8.index(start, offsetBy: ranges[index].count)]
    }
}

package enum RouteMatch: Sendable {
    case found(Endpoint, PathParameters)
    /// The path is known, the method is not: 405 `M_UNRECOGNIZED`.
    case unknownMethod(allowed: [HTTPMethod])
    /// 404 `M_UNRECOGNIZED`.
    case unknownPath
}

/// A tree over path segments. A literal segment goes before a parameter; where the literal leads nowhere, the parameter is tried.
package struct Router: Sendable {
    private struct Node: Sendable {
        var literals: [(segment: [UInt8], node: Int)] = []
        var parameter: Int?
        var endpoints: [(method: HTTPMethod, endpoint: Endpoint)] = []
    }

    private var nodes: [Node] = [Node()]

    package init(_ routes: [Route]) {
        for route in routes {
            for template in route.templates { insert(template, route) }
        }
    }

    // MARK: Building

    private mutating func insert(_ template: String, _ route: Route) {
        precondition(template.hasPrefix("/"), "a path begins with a slash: \(template)")
        var node = 0
        var names: [String] = []
        for segment in template.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            if segment.hasPrefix("{") && segment.hasSuffix("}") {
                names.append(String(segment.dropFirst().dropLast()))
                node = parameterChild(of: node)
            } else {
                node = literalChild(of: node, Array(segment.utf8))
            }
        }
        precondition(
            !nodes[node].endpoints.contains { $0.method == route.method },
            "two routes for \(route.method.name) \(template)")
        nodes[node].endpoints.append((route.method, Endpoint(route: route, template: template, parameterNames: names)))
    }

    private mutating func parameterChild(of node: Int) -> Int {
        if let child = nodes[node].parameter { return child }
        nodes.append(Node())
        nodes[node].parameter = nodes.count - 1
        return nodes.count - 1
    }

    private mutating func literalChild(of node: Int, _ segment: [UInt8]) -> Int {
        if let child = nodes[node].literals.first(where: { $0.segment == segment })?.node { return child }
        nodes.append(Node())
        nodes[node].literals.append((segment, nodes.count - 1))
        return nodes.count - 1
    }

    // MARK: Matching

    /// - Parameter target: the raw request target; its query is not looked at.
    package func match(_ method: HTTPMethod, _ target: String) -> RouteMatch {
        var target = target
        return target.withUTF8 { bytes in
            let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
            guard bytes.first == UInt8(ascii: "/") else { return .unknownPath }
            var search = Search(method: method.handledAs, path: UnsafeBufferPointer(rebasing: bytes[..<end]))
            if let endpoint = find(from: 0, at: 1, &search) {
                guard !search.ranges.isEmpty else { return .found(endpoint, .none) }
                return .found(endpoint, PathParameters(names: endpoint.parameterNames, ranges: search.ranges))
            }
            return search.allowed.isEmpty ? .unknownPath : .unknownMethod(allowed: search.allowed)
        }
    }

    private struct Search {
        let method: HTTPMethod
        let path: UnsafeBufferPointer<UInt8>
        var ranges: [Range<Int>] = []
        /// The methods of the nodes that match the path but not the method.
        var allowed: [HTTPMethod] = []
    }

    private func find(from node: Int, at start: Int, _ search: inout Search) -> Endpoint? {
        var end = start
        while end < search.path.count, search.path[end] != UInt8(ascii: "/") { end += 1 }
        let isLast = end == search.path.count
        let length = end - start

        for (segment, child) in nodes[node].literals where segment.count == length {
            guard segment.elementsEqual(search.path[start..<end]) else { continue }
            if let endpoint = isLast ? finish(at: child, &search) : find(from: child, at: end + 1, &search) { return endpoint }
            break
        }
        if let child = nodes[node].parameter {
            search.ranges.append(start..<end)
            if let endpoint = isLast ? finish(at: child, &search) : find(from: child, at: end + 1, &search) { return endpoint }
            search.ranges.removeLast()
        }
        return nil
    }

    private func finish(at node: Int, _ search: inout Search) -> Endpoint? {
        for (method, endpoint) in nodes[node].endpoints {
            if method == search.method { return endpoint }
            search.allowed.append(method)
        }
        return nil
    }
}
