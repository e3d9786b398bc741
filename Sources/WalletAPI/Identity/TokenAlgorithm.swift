/// The algorithms that a user's token may be signed with; there are no others, whatever a token or
/// a key says. All of them are asymmetric.
enum TokenAlgorithm: String, CaseIterable, Sendable {
    case rs256 = "RS256"
    case ps256 = "PS256"
    case es256 = "ES256"
    case es384 = "ES384"
    case eddsa = "EdDSA"
}
