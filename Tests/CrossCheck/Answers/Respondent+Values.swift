// Questions about values: canonical JSON, identifiers.

import MatrixCore

extension Respondent {
    /// The canonical form of the text in `json`, read strictly or not.
    func answerCanonical(_ question: JSON) -> JSONObject {
        guard let json = question["json"]?.textBytes else { return ["error": "no text asked about"] }
        let limits: JSONLimits = question["strict"]?.bool == true ? .strictEvent : .lenientEvent
        do {
            return ["canonical": JSONValue(text: try JSONDocument(parsing: json, limits: limits).root.canonicalBytes)]
        } catch {
            return ["error": .string("\(error)")]
        }
    }

    /// Whether `text` is an identifier of the `kind`.
    func answerIdentifier(_ question: JSON) -> JSONObject {
        guard let text = question["text"]?.string else { return ["error": "no text asked about"] }
        switch question["kind"]?.string {
        case "user": return validity { () throws(IdentifierError) in _ = try UserID(parsing: text) }
        case "room": return validity { () throws(IdentifierError) in _ = try RoomID(parsing: text) }
        case "alias": return validity { () throws(IdentifierError) in _ = try RoomAlias(parsing: text) }
        case "server": return validity { () throws(IdentifierError) in _ = try ServerName(parsing: text) }
        default: return ["error": "no such kind"]
        }
    }

    private func validity(_ parse: () throws(IdentifierError) -> Void) -> JSONObject {
        do {
            try parse()
            return ["valid": true]
        } catch {
            return ["valid": false, "reason": .string("\(error)")]
        }
    }
}
