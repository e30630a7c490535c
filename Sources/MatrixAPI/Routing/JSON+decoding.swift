// Members of a request body, with the specification's error where one is missing or of the wrong type.
// Client-Server API §Standard error response.

import MatrixCore

extension JSON {
    /// - Throws: `M_MISSING_PARAM` where the member is absent, `M_BAD_JSON` where it is no string. So do the others like it.
    package func requiredString(_ key: String) throws(MatrixError) -> String {
        try required(key, optionalString(key))
    }

    package func requiredInt(_ key: String) throws(MatrixError) -> Int64 {
        try required(key, optionalInt(key))
    }

    package func requiredBool(_ key: String) throws(MatrixError) -> Bool {
        try required(key, optionalBool(key))
    }

    package func requiredObject(_ key: String) throws(MatrixError) -> JSON {
        try required(key, optionalObject(key))
    }

    package func requiredArray(_ key: String) throws(MatrixError) -> JSON {
        try required(key, optionalArray(key))
    }

    package func requiredStrings(_ key: String) throws(MatrixError) -> [String] {
        try required(key, optionalStrings(key))
    }

    /// nil where the member is absent or null.
    ///
    /// - Throws: `M_BAD_JSON` where it is anything else but a string. So do the others like it.
    package func optionalString(_ key: String) throws(MatrixError) -> String? {
        guard let member = present(key) else { return nil }
        guard let value = member.string else { throw wrongType(key, "a string") }
        return value
    }

    package func optionalInt(_ key: String) throws(MatrixError) -> Int64? {
        guard let member = present(key) else { return nil }
        guard let value = member.int else { throw wrongType(key, "an integer") }
        return value
    }

    package func optionalBool(_ key: String) throws(MatrixError) -> Bool? {
        guard let member = present(key) else { return nil }
        guard let value = member.bool else { throw wrongType(key, "a boolean") }
        return value
    }

    package func optionalObject(_ key: String) throws(MatrixError) -> JSON? {
        guard let member = present(key) else { return nil }
        guard member.kind == .object else { throw wrongType(key, "an object") }
        return member
    }

    package func optionalArray(_ key: String) throws(MatrixError) -> JSON? {
        guard let member = present(key) else { return nil }
        guard member.kind == .array else { throw wrongType(key, "an array") }
        return member
    }

    package func optionalStrings(_ key: String) throws(MatrixError) -> [String]? {
        guard let array = try optionalArray(key) else { return nil }
        var strings: [String] = []
        for element in array.elements {
            guard let string = element.string else { throw wrongType(key, "an array of strings") }
            strings.append(string)
        }
        return strings
    }

    /// A required member that is an identifier.
    package func requiredIdentifier<ID: MatrixIdentifier>(_ key: String, as type: ID.Type = ID.self) throws(MatrixError) -> ID {
        let text = try requiredString(key)
        do { return try ID(parsing: text) } catch { throw .invalidParam("\(key): \(text) is not a valid \(ID.self)") }
    }

    private func present(_ key: String) -> JSON? {
        guard let member = self[key], !member.isNull else { return nil }
        return member
    }

    private func required<T>(_ key: String, _ value: T?) throws(MatrixError) -> T {
        guard let value else { throw .missingParam("Missing parameter: \(key)") }
        return value
    }

    private func wrongType(_ key: String, _ expected: String) -> MatrixError {
        .badJSON("\(key) must be \(expected)")
    }
}
