import LedgerEngine
import WalletCore

/// Takes the members of a body one by one and refuses what is left over.
///
/// A member of the wrong kind makes the body malformed (400); a well-formed value that the
/// contract does not allow is a refusal (422), which is thrown as such.
struct ObjectReader {
    private var members: [JSONMember]

    init(_ body: [UInt8]) throws(Problem) {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body)
        } catch {
            throw .malformed(
                "The body is not valid JSON: \(error.reason), at byte \(error.offset).")
        }
        guard case .object(let members) = value else {
            throw .malformed("The body must be a JSON object, not \(value.kind).")
        }
        self.members = members
    }

    private init(members: [JSONMember]) {
        self.members = members
    }

    /// An object without members, for calls whose body may be left out.
    init() { members = [] }

    private mutating func take(_ name: String) -> JSONValue? {
        guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
        return members.remove(at: index).value
    }

    mutating func string(_ name: String) throws(Problem) -> String? {
        guard let value = take(name) else { return nil }
        guard case .string(let text) = value else {
            throw .malformed("`\(name)` must be a string, not \(value.kind).")
        }
        return text
    }

    mutating func requiredString(_ name: String) throws(Problem) -> String {
        guard let text = try string(name) else { throw .malformed("`\(name)` is missing.") }
        return text
    }

    mutating func identifier<Kind>(_ name: String) throws(Problem) -> Identifier<Kind> {
        guard let id: Identifier<Kind> = try optionalIdentifier(name) else {
            throw .malformed("`\(name)` is missing.")
        }
        return id
    }

    mutating func optionalIdentifier<Kind>(
        _ name: String
    ) throws(Problem) -> Identifier<Kind>? {
        guard let text = try string(name) else { return nil }
        guard let id = Identifier<Kind>(text) else {
            throw .malformed("`\(name)` must be a UUID in canonical lower case.")
        }
        return id
    }

    mutating func instant(_ name: String) throws(Problem) -> Instant? {
        guard let text = try string(name) else { return nil }
        return try Instant(text, of: name)
    }

    /// An integer of minor units; its range is not looked at.
    mutating func requiredInteger(_ name: String) throws(Problem) -> Int64 {
        guard let value = try integer(name) else { throw .malformed("`\(name)` is missing.") }
        return value
    }

    /// An integer of minor units; its range is not looked at.
    mutating func integer(_ name: String) throws(Problem) -> Int64? {
        guard let value = take(name) else { return nil }
        guard case .integer(let integer) = value else {
            throw .malformed("`\(name)` must be an integer of minor units, not \(value.kind).")
        }
        return integer
    }

    mutating func requiredStrings(_ name: String) throws(Problem) -> [String] {
        guard let value = take(name) else { throw .malformed("`\(name)` is missing.") }
        guard case .array(let elements) = value else {
            throw .malformed("`\(name)` must be an array of strings, not \(value.kind).")
        }
        return try elements.map { element throws(Problem) in
            guard case .string(let text) = element else {
                throw .malformed("`\(name)` must be an array of strings only.")
            }
            return text
        }
    }

    mutating func requiredBoolean(_ name: String) throws(Problem) -> Bool {
        guard let value = take(name) else { throw .malformed("`\(name)` is missing.") }
        guard case .boolean(let boolean) = value else {
            throw .malformed("`\(name)` must be true or false, not \(value.kind).")
        }
        return boolean
    }

    /// The objects of an array, to be read one by one.
    mutating func objects(_ name: String) throws(Problem) -> [ObjectReader] {
        guard let value = take(name) else { throw .malformed("`\(name)` is missing.") }
        guard case .array(let elements) = value else {
            throw .malformed("`\(name)` must be an array of objects, not \(value.kind).")
        }
        var objects: [ObjectReader] = []
        objects.reserveCapacity(elements.count)
        for element in elements {
            guard case .object(let members) = element else {
                throw .malformed("`\(name)` must be an array of objects only.")
            }
            objects.append(ObjectReader(members: members))
        }
        return objects
    }

    mutating func stringPairs(_ name: String) throws(Problem) -> [String: String]? {
        guard let value = take(name) else { return nil }
        guard case .object(let members) = value else {
            throw .malformed("`\(name)` must be an object of strings, not \(value.kind).")
        }
        var pairs: [String: String] = [:]
        for member in members {
            guard case .string(let text) = member.value else {
                throw .malformed("`\(name)` must be an object of strings only.")
            }
            pairs[member.name] = text
        }
        return pairs
    }

    /// Refuses what has not been taken.
    func finish() throws(Problem) {
        guard let member = members.first else { return }
        throw .malformed("`\(member.name.first(64))` is not a member of this request.")
    }
}
