import MQTTCore
import MQTTXBroker
import Testing

@Suite("ACL and password files in mosquitto's format", .timeLimit(.minutes(2)))
struct ACLFileTests {
    private let ann = ClientIdentity(clientID: "c1", username: "ann")

    @Test("Lines may end as Windows ends them")
    func carriageReturns() throws {
        let file = try ACLFile(contents: "# comment\r\n\r\nuser ann\r\ntopic read a\r\ntopic write b\r\n")
        #expect(file.mayReceive("a", by: ann) && file.mayPublish("b", by: ann))
        #expect(!file.mayPublish("a", by: ann) && !file.mayReceive("b", by: ann))
        let hash = "$7$101$AAECAwQFBgcICQoL$AAAA"
        #expect(throws: Never.self) { try PasswordFile(contents: "# users\r\nann:\(hash)\r\nbob:\(hash)\r\n") }
        let error = #expect(throws: MQTTXError.self) { try PasswordFile(contents: "ann:\(hash)\r\nbob\r\n") }
        #expect(error?.message == "the password file, line 2: no user name before a colon")
    }

    @Test(
        "A line that can't be used is an error that names it",
        arguments: [
            "topic a topic with spaces", "topic", "topic read a/#/b", "pattern read a%c#", "user", "tpic read a",
            "topic read public/# # no comment here", "topic readwrit a",
        ])
    func badLine(_ line: String) {
        let error = #expect(throws: MQTTXError.self) { try ACLFile(contents: "topic a\n\(line)\n") }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.hasPrefix("the ACL file, line 2: ") == true, "\(error?.message ?? "")")
    }

    @Test("A file that can't be read is an error with the code of its kind")
    func missing() {
        let rules = #expect(throws: MQTTXError.self) { try ACLFile(path: "/nowhere/rules") }
        #expect(rules?.code == .permissionDenied)
        let passwords = #expect(throws: MQTTXError.self) { try PasswordFile(path: "/nowhere/passwords") }
        #expect(passwords?.code == .authenticationFailed)
    }

    @Test("A topic with spaces, one that is called as an access, and one without access")
    func topics() throws {
        let file = try ACLFile(contents: "user ann\ntopic write a b  c\ntopic read\ntopic   both\n")
        #expect(file.mayPublish("a b  c", by: ann) && !file.mayReceive("a b  c", by: ann))
        #expect(file.mayPublish("read", by: ann) && file.mayReceive("both", by: ann))
    }

    @Test("What a client calls itself stands for itself in a pattern, and never for another mark")
    func patterns() throws {
        let file = try ACLFile(contents: "pattern readwrite own/%c/%u\npattern write all/%c\npattern read open")
        func may(_ topic: String, _ clientID: String, _ username: String?) -> Bool {
            file.mayPublish(topic, by: ClientIdentity(clientID: clientID, username: username))
        }
        #expect(may("own/c1/ann", "c1", "ann"))
        #expect(may("own/%u/ann", "%u", "ann"))
        #expect(!may("own/ann/ann", "%u", "ann"))
        #expect(may("own/a/b/ann", "a/b", "ann"))
        #expect(!may("own/c1/", "c1", nil) && may("all/c1", "c1", nil))
        // No pattern is for somebody whose name would be a wildcard, not even one without marks.
        for (clientID, username) in [("+", "ann"), ("c#", "ann"), ("c1", "+")] {
            #expect(!may("all/\(clientID)", clientID, username))
            #expect(!file.mayReceive("open", by: ClientIdentity(clientID: clientID, username: username)))
        }
    }

    @Test("A client's own rules come before the patterns; among either a deny comes first")
    func order() throws {
        let file = try ACLFile(
            contents: """
                user ann
                topic readwrite home/#
                topic deny home/safe
                pattern deny home/%u
                pattern deny state/%u
                pattern readwrite state/+
                """)
        #expect(file.mayPublish("home/ann", by: ann), "her own rule allows it")
        #expect(!file.mayPublish("home/safe", by: ann))
        #expect(!file.mayPublish("state/ann", by: ann) && file.mayPublish("state/bob", by: ann))
        #expect(file.maySubscribe("home/ann", by: ann) && file.maySubscribe("home/#", by: ann))
        #expect(!file.maySubscribe("home/safe", by: ann) && !file.maySubscribe("state/ann", by: ann))
        #expect(file.maySubscribe("state/+", by: ann))
    }

    @Test("User names that look alike but differ in bytes are two users")
    func noNormalization() throws {
        let rules = try ACLFile(contents: "user caf\u{E9}\ntopic a\nuser cafe\u{301}\ntopic b\n")
        let composed = ClientIdentity(clientID: "c", username: "caf\u{E9}")
        let decomposed = ClientIdentity(clientID: "c", username: "cafe\u{301}")
        #expect(composed != decomposed)
        #expect(rules.mayPublish("a", by: composed) && !rules.mayPublish("b", by: composed))
        #expect(rules.mayPublish("b", by: decomposed) && !rules.mayPublish("a", by: decomposed))
    }
}
