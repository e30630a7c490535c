// `#expect` for expressions that the macro does not take: calls with `try` and a closure, and mutating ones.

import Testing

/// Expects two values to be equal.
func expectEqual<T: Equatable>(_ actual: T, _ expected: T, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(actual == expected, sourceLocation: sourceLocation)
}

/// What `body` throws. For closures within closures, where `#expect(throws:)` (Swift 6.3) runs the closure of another one.
func failure(of body: () throws -> Void) -> (any Error)? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}
