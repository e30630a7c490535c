// `#expect` for expressions that the macro does not take: mutating calls.

import Testing

/// Expects two values to be equal.
func expectEqual<T: Equatable>(_ actual: T, _ expected: T, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(actual == expected, sourceLocation: sourceLocation)
}
