// Values that are written piece by piece, between waits: a closure cannot wait.

extension JSONWriter {
    /// Begins an object; ``close()`` ends it.
    package mutating func beginObject() {
        beginValue()
        bytes.append(UInt8(ascii: "{"))
    }

    /// Begins the array of a key; ``endArray()`` ends it.
    package mutating func beginArray(_ key: String) {
        self.key(key)
        bytes.append(UInt8(ascii: "["))
    }

    /// Ends an array that ``beginArray(_:)`` began.
    package mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        endValue()
    }
}
