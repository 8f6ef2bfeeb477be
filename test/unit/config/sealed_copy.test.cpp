// The last good content, sealed.

#include "config/cache_files.hpp"
#include "config/cache_format.hpp"

#include "support/catch.hpp"
#include "support/scratch_dir.hpp"
#include "unit/config/cache_copy.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

using namespace dynconf;
using namespace dynconf::test;
using namespace dynconf::detail;
namespace fs = std::filesystem;

namespace {

const key_ring ring_a("a", sealing_key::generate());
const key_ring ring_b("b", sealing_key::generate());
constexpr std::size_t digest_size = 32;

std::string_view text_of(const cache_bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Altered by somebody who knows how the checksum is made.
cache_bytes altered(cache_bytes bytes, std::size_t at) {
    bytes.resize(bytes.size() - digest_size);
    bytes.at(at) = static_cast<std::uint8_t>(bytes.at(at) ^ 1);
    add_checksum(bytes);
    return bytes;
}

cache_bytes content_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void put(const fs::path& path, const cache_bytes& bytes) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
}

policy::cache_demands demands() {
    policy::cache_demands want;
    want.ranges = small_copy().ranges;
    want.now = small_copy().as_of;
    return want;
}

}  // namespace

TEST_CASE("a sealed copy comes back as it was, and shows nothing", "[cache][sealed_copy]") {
    const cache_copy copy = small_copy();
    const cache_bytes bytes = encode_cache(copy, ring_a);
    for (const char* word : {"/app/", "/shared", "value", "good", "revision"}) {
        INFO(word);
        CHECK(text_of(bytes).find(word) == std::string_view::npos);
        CHECK(text_of(encode_cache(copy)).find(word) != std::string_view::npos);
    }
    for (const auto& ring : {ring_a, ring_a.writing("b2", sealing_key::generate())}) {
        const decoded_cache back = decode_cache(bytes, ring);
        REQUIRE(back.verdict == cache_verdict::usable);
        CHECK(same(back.copy, copy));
    }
    CHECK(begins_sealed(std::span(bytes).first(100)));
    CHECK_FALSE(begins_sealed(encode_cache(copy)));
    CHECK_FALSE(begins_sealed(std::span(bytes).first(10)));
}

TEST_CASE("a copy that the ring does not open is refused, with its reason", "[cache][sealed_copy]") {
    const cache_copy copy = small_copy();
    const cache_bytes bytes = encode_cache(copy, ring_a);
    const auto expect = [](const decoded_cache& d, cache_verdict verdict, std::string_view why) {
        CHECK(to_string(d.verdict) == to_string(verdict));
        CHECK(d.why.find(why) != std::string::npos);
        CHECK(d.copy.content.keys.empty());
    };
    expect(decode_cache(bytes), cache_verdict::not_opened, "no cache_options::seal");
    expect(decode_cache(bytes, ring_b), cache_verdict::not_opened, "the ring does not have");
    expect(decode_cache(bytes, key_ring("a", sealing_key::generate())), cache_verdict::not_opened, "another key");
    expect(decode_cache(encode_cache(copy), ring_a), cache_verdict::not_sealed, "in the clear");
    for (std::size_t at = 0; at + digest_size < bytes.size(); ++at) {
        const decoded_cache d = decode_cache(altered(bytes, at), ring_a);
        INFO(at << ' ' << d.why);
        REQUIRE(d.verdict != cache_verdict::usable);
    }
    expect(decode_cache(altered(bytes, bytes.size() - digest_size - 1), ring_a), cache_verdict::not_opened, "altered");
    cache_bytes cut = bytes;
    cut.pop_back();
    expect(decode_cache(cut, ring_a), cache_verdict::damaged, "");
}

TEST_CASE("copies in the clear are not used where sealed ones are asked for, and none stays", "[cache][sealed_copy]") {
    const scratch_dir dir;
    const fs::path path = dir.path() / "copy";
    const cache_files clear(path);
    REQUIRE(clear.write(encode_cache(small_copy(1)), false));
    REQUIRE(clear.write(encode_cache(small_copy(2)), true));

    const cache_files files(path, {}, ring_a);
    const auto before = files.read(demands());
    CHECK(before.found.current == cache_verdict::not_sealed);
    CHECK(before.found.previous == cache_verdict::not_sealed);
    CHECK_FALSE(before.found.used());
    CHECK(before.found.cause == errc::cache_refused);

    REQUIRE(files.write(encode_cache(small_copy(3), files.ring()), false));
    CHECK_FALSE(fs::exists(files.previous()));
    CHECK(files.read(demands()).found.revision == 3);
    REQUIRE(files.write(encode_cache(small_copy(4), files.ring()), true));
    CHECK(fs::exists(files.previous()));   // sealed, too
    REQUIRE(files.write(encode_cache(small_copy(5), files.ring()), true));
    CHECK(begins_sealed(content_of(files.previous())));

    // An altered one falls back to the generation before.
    put(path, altered(content_of(path), 150));
    const auto after = files.read(demands());
    CHECK(after.found.current == cache_verdict::not_opened);
    CHECK(after.found.previous == cache_verdict::usable);
    CHECK(after.found.revision == 4);
}
