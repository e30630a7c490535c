// `#expect` for expressions that the macro does not take: calls with `try` and a closure, and mutating ones.

import Testing

/// Expects two values to be equal.
func expectEqual<T: Equatable>(_ actual: T, _ expected: T, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(actual == expected, sourceLocation: sourceLocation)
}
