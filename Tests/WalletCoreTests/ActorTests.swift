import Testing
import WalletCore

@Suite("An actor")
struct ActorTests {
    @Test("has a scope of its own, however the names are cut")
    func scopes() {
        let actors: [Actor] = [
            .system, .apiKey(id: "k", principal: ""), .apiKey(id: "k", principal: "system"),
            .apiKey(id: "k", principal: "ab"), .user(issuer: "", subject: "ab"),
            .user(issuer: "a", subject: "b"), .user(issuer: "ab", subject: ""),
            .user(issuer: "", subject: ""), .apiKey(id: "k", principal: "\u{E9}"),
            .apiKey(id: "k", principal: "e\u{301}"), .user(issuer: "user", subject: "\0"),
        ]
        #expect(Set(actors.map(\.scope)).count == actors.count)
    }

    @Test("keeps its scope when its key is replaced")
    func rotation() {
        let old = Actor.apiKey(id: "key_1", principal: "shop")
        let new = Actor.apiKey(id: "key_2", principal: "shop")
        #expect(old.scope == new.scope)
        #expect(old != new)
    }

    @Test("has a scope of three texts, each with its length before it")
    func bytes() {
        let actor = Actor.user(issuer: "i", subject: "é")
        let expected: [UInt8] =
            [0, 0, 0, 0, 0, 0, 0, 4] + Array("user".utf8) + [0, 0, 0, 0, 0, 0, 0, 1, 0x69]
            + [0, 0, 0, 0, 0, 0, 0, 2, 0xC3, 0xA9]
        #expect(actor.scope == expected)
    }

    @Test("is shown by its principal or subject")
    func names() {
        #expect(Actor.apiKey(id: "key_1", principal: "shop").name == "shop")
        #expect(Actor.user(issuer: "i", subject: "u-17").name == "u-17")
        #expect(Actor.system.name == "system")
    }
}
