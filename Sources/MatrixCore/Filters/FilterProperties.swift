// Reading the properties of a filter, with the error that each wrong one deserves.

/// The members of a filter object. A property that is absent reads as `nil`; one of the wrong type is an error.
struct FilterProperties {
    private let json: JSON
    private let path: String

    init(_ json: JSON, path: String) throws(MatrixError) {
        guard json.isObject else { throw .badJSON("\(path) must be an object") }
        self.json = json
        self.path = path
    }

    func string(_ name: String) throws(MatrixError) -> String? {
        guard let value = json[name] else { return nil }
        guard let string = value.string else { throw wrong(name, "a string") }
        return string
    }

    func bool(_ name: String) throws(MatrixError) -> Bool? {
        guard let value = json[name] else { return nil }
        guard let bool = value.bool else { throw wrong(name, "true or false") }
        return bool
    }

    func object(_ name: String) throws(MatrixError) -> JSON? {
        guard let value = json[name] else { return nil }
        guard value.isObject else { throw wrong(name, "an object") }
        return value
    }

    /// A number of events. Zero is taken although the specification asks for more: clients send it to fetch none.
    func limit(_ name: String) throws(MatrixError) -> Int? {
        guard let value = json[name] else { return nil }
        guard let number = value.double, number >= 0 else { throw wrong(name, "a number that is not negative") }
        return number < Double(Int32.max) ? Int(number) : Int(Int32.max)
    }

    func strings(_ name: String) throws(MatrixError) -> [String]? {
        guard let value = json[name] else { return nil }
        guard value.isArray else { throw wrong(name, "a list of strings") }
        var strings: [String] = []
        for element in value.elements {
            guard let string = element.string else { throw wrong(name, "a list of strings") }
            strings.append(string)
        }
        return strings
    }

    func identifiers<Identifier: MatrixIdentifier>(_ name: String) throws(MatrixError) -> Set<Identifier>? {
        guard let strings = try strings(name) else { return nil }
        var identifiers: Set<Identifier> = []
        for string in strings {
            do {
                identifiers.insert(try Identifier(parsing: string))
            } catch {
                throw .badJSON("\(path).\(name): \(string) is \(error)")
            }
        }
        return identifiers
    }

    private func wrong(_ name: String, _ expected: String) -> MatrixError {
        .badJSON("\(path).\(name) must be \(expected)")
    }
}
