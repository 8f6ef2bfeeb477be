#include "policy/stored_value.hpp"

#include "support/catch.hpp"
#include "unit/crypto/hex.hpp"

#include <string>
#include <vector>

using namespace dynconf;
using dynconf::test::from_hex;
using policy::look_at;
using policy::stored_look;
using kind = policy::stored_look::kind;

namespace {

const std::string name = "/app/password";

const sealing_key& old_key() {
    static const sealing_key made = sealing_key::generate();
    return made;
}

/// Writes with "new" and reads "old".
const key_ring& ring() {
    static const key_ring made = key_ring("old", old_key()).writing("new", sealing_key::generate());
    return made;
}

// The specification's token, of "hello".
const std::string token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
foreign_format its_fernet() { return foreign_format::fernet(from_hex("730ff4c7af3d46923e8ed451ee813c87f790b0a226bc96a92de49b5e9c05e1ee")); }
foreign_format other_fernet() { return foreign_format::fernet(std::string(32, 'o')); }
foreign_format other_conf() { return foreign_format::open_secure_conf("user", "salt", 1); }

rotation_options reading(std::vector<foreign_format> formats) {
    rotation_options o;
    o.foreign = std::move(formats);
    return o;
}

/// It becomes `plain` under the ring's key, or in a dry run nothing.
void check_rewritten(const std::string& stored, rotation_options options, const std::string& plain) {
    options.dry_run = false;
    const stored_look seen = look_at(ring(), options, name, stored);
    CHECK(seen.rewrite);
    CHECK_FALSE(seen.why.code);
    CHECK(sealed_with(seen.replacement) == "new");
    CHECK(ring().open(name, seen.replacement).value() == plain);
    options.dry_run = true;
    const stored_look dry = look_at(ring(), options, name, stored);
    CHECK(dry.rewrite);
    CHECK(dry.replacement.empty());
    CHECK(dry.what == seen.what);
    CHECK(dry.name == seen.name);
}

void check_left(const stored_look& seen, const error_code& why) {
    CHECK(seen.why.code == why);
    CHECK_FALSE(seen.rewrite);
    CHECK(seen.replacement.empty());
}

}  // namespace

TEST_CASE("stored value: what is sealed goes under the key to write with, and stays when it is", "[policy][rotation]") {
    const stored_look fresh = look_at(ring(), {}, name, ring().seal(name, "hunter2"));
    CHECK(fresh.what == kind::sealed);
    CHECK(fresh.name == "new");
    check_left(fresh, {});
    const std::string old = key_ring("old", old_key()).seal(name, "hunter2");
    CHECK(look_at(ring(), {}, name, old).what == kind::sealed);
    CHECK(look_at(ring(), {}, name, old).name == "old");
    check_rewritten(old, {}, "hunter2");
}

TEST_CASE("stored value: what does not open is told, also under the key to write with", "[policy][rotation]") {
    std::string later = ring().seal(name, "hunter2");
    later[3] = 2;   // the version
    struct row { const char* title; std::string stored, name; errc why; };
    const row rows[] = {
        {"of a key that the ring lacks", key_ring("lost", sealing_key::generate()).seal(name, "x"), "lost", errc::unknown_key_id},
        {"of another key of etcd", ring().seal("/app/other", "x"), "new", errc::seal_broken},
        {"of a later version", later, "?", errc::unsupported_seal},
        {"cut", ring().seal(name, "x").substr(0, 10), "?", errc::seal_broken},
    };
    for (const row& r : rows) {
        INFO(r.title);
        rotation_options all = reading({its_fernet()});
        all.seal_plaintext = true;   // which it is not
        const stored_look seen = look_at(ring(), all, name, r.stored);
        CHECK(seen.what == kind::sealed);
        CHECK(seen.name == r.name);
        check_left(seen, r.why);
    }
}

TEST_CASE("stored value: plain text is sealed only where that is wanted", "[policy][rotation]") {
    const stored_look seen = look_at(ring(), reading({its_fernet(), other_conf()}), name, "hunter2");
    CHECK(seen.what == kind::plain);
    CHECK(seen.name.empty());
    check_left(seen, {});
    rotation_options wanted = reading({its_fernet()});
    wanted.seal_plaintext = true;
    CHECK(look_at(ring(), wanted, name, "hunter2").what == kind::plain);
    check_rewritten("hunter2", wanted, "hunter2");
}

TEST_CASE("stored value: what one of the other formats opens is taken over, whatever the ones before say", "[policy][rotation]") {
    for (const auto& formats : {std::vector{its_fernet()}, std::vector{other_fernet(), its_fernet()}, std::vector{other_conf(), its_fernet(), other_fernet()}}) {
        const stored_look seen = look_at(ring(), reading(formats), name, token);
        CHECK(seen.what == kind::foreign);
        CHECK(seen.name == "Fernet");
        check_rewritten(token, reading(formats), "hello");
    }
}

TEST_CASE("stored value: what no format opens has the fault that the first to know it finds", "[policy][rotation]") {
    rotation_options both = reading({foreign_format::blueprint("key"), other_conf(), other_fernet()});
    both.seal_plaintext = true;   // which it may not be
    const stored_look seen = look_at(ring(), both, name, token);   // to blueprint it is text
    CHECK(seen.what == kind::foreign);
    CHECK(seen.name == "OpenSecureConf");
    check_left(seen, errc::seal_broken);
}
