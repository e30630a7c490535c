// A redaction that is sent like any other event. Client-Server API §Redactions; Rooms §Redactions (`redacts`).

import MatrixCore

extension EventDraft {
    /// The draft with the event that it redacts, which a client may name in the content whatever the room's version: from version 11 on
    /// it stays there, before that it goes beside it.
    ///
    /// - Throws: `M_BAD_JSON` for a redaction that names no event.
    func namingTarget() throws(MatrixError) -> EventDraft {
        guard type == "m.room.redaction", redacts == nil else { return self }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: content, limits: .request) } catch { throw MatrixError(error) }
        guard let text = document.root["redacts"]?.string, let target = try? EventID(parsing: text) else {
            throw .badJSON("A redaction must name the event to redact in redacts")
        }
        var draft = self
        draft.redacts = target
        return draft
    }
}
