// What a form of a page sends: `application/x-www-form-urlencoded`.

import MatrixCore

/// The fields of a form, from the body of a POST, or from the query where the body has none of the name.
package struct FormFields {
    private let body: String
    private let query: QueryString

    package init(_ request: APIRequest) {
        body = String(decoding: request.body, as: UTF8.self)
        query = QueryString(request.rawQuery)
    }

    package subscript(name: String) -> String? { QueryString(body[...]).first(name) ?? query.first(name) }

    /// Every value of a field, e.g. of several boxes of the same name that were ticked.
    package func all(_ name: String) -> [String] { QueryString(body[...]).all(name) }

    /// - Throws: `M_MISSING_PARAM`.
    package func required(_ name: String) throws(MatrixError) -> String {
        guard let value = self[name], !value.isEmpty else { throw .missingParam("Missing parameter \(name)") }
        return value
    }
}
