// What is wrong with what another server told.

/// Thrown for an EDU that is dropped.
package struct MalformedEDU: Error, Sendable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }

    package var description: String { "not as it should be: \(reason)" }
}
