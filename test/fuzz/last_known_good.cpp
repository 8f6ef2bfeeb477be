#include "fuzz/target.hpp"

#include "unit/config/cache_copy.hpp"

#include "config/cache_format.hpp"

using namespace dynconf;
using namespace dynconf::detail;
using fuzz::promise;

namespace {

key_ring test_ring() {
    return key_ring("k1", sealing_key::from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"));
}

decoded_cache decode(const cache_bytes& bytes, const std::optional<key_ring>& ring) {
    decoded_cache d = decode_cache(bytes, ring);
    promise((d.verdict == cache_verdict::usable) == d.why.empty(), "a verdict without words");
    promise(d.why.size() <= 300, "too many words");
    if (d.verdict == cache_verdict::usable) {
        promise(d.copy.content.revision > 0, "a copy of no revision");
        for (const auto& key : d.copy.content.keys)
            promise(!key->key.empty() && (key->now || key->last_good), "a key without a text");
        const decoded_cache again = decode_cache(encode_cache(d.copy, ring), ring);
        promise(again.verdict == cache_verdict::usable && test::same(d.copy, again.copy), "what is written is not what was read");
    }
    return d;
}

cache_bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// A header of the length that it says, and a body: past the frame, the bytes go into the CBOR.
cache_bytes framed(fuzz::input& in) {
    const std::string_view header = in.text(in.number());
    cache_bytes out = bytes_of("DYNCONF\n");
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(header.size() >> shift));
    out.insert(out.end(), header.begin(), header.end());
    const std::string_view body = in.rest();
    out.insert(out.end(), body.begin(), body.end());
    add_checksum(out);
    return out;
}

cache_copy made_up(fuzz::input& in) {
    cache_copy c;
    c.content.revision = 1 + in.byte();
    c.content.cluster_id = in.byte();
    c.as_of = std::chrono::system_clock::time_point(std::chrono::milliseconds(in.byte() * 1000));
    c.ranges = {key_range::prefix(std::string(in.line()))};
    for (std::string n; !in.empty(); n += '.') {
        const auto text = [&in] { return kept_key::text{std::string(in.line()), 1 + in.byte()}; };
        const unsigned shape = in.byte() % 3;
        const std::string key = n + "k" + std::string(in.line());
        c.content.keys.push_back(shape == 0 ? test::kept(key, text()) : shape == 1 ? test::kept(key, text(), text()) : test::kept(key, std::nullopt, text()));
    }
    return c;
}

/// No byte of a sealed copy can be changed, neither with the checksum as it was nor with one that fits.
void altered(fuzz::input& in) {
    const key_ring ring = test_ring();
    cache_bytes sealed = encode_cache(test::small_copy(), ring);
    const std::size_t at = in.number() % sealed.size();
    const auto by = static_cast<std::uint8_t>(in.byte() | 1);
    sealed[at] ^= by;
    promise(decode(sealed, ring).verdict != cache_verdict::usable, "an altered copy is used");
    if (at >= sealed.size() - 32) return;
    sealed.resize(sealed.size() - 32);
    add_checksum(sealed);
    // What the seal does not cover is the header beside it, of which nothing is used.
    if (const auto d = decode(sealed, ring); d.verdict == cache_verdict::usable)
        promise(test::same(d.copy, test::small_copy()), "an altered copy is another content");
}

}  // namespace

FUZZ_TARGET(last_known_good) {
    switch (in.byte() % 5) {
        case 0: {
            const cache_bytes bytes = bytes_of(in.rest());
            decode(bytes, std::nullopt);
            promise(decode(bytes, test_ring()).verdict != cache_verdict::usable, "a copy that the ring has not sealed is used");
            return;
        }
        case 1: {
            const cache_bytes bytes = framed(in);
            decode(bytes, std::nullopt);
            promise(decode(bytes, test_ring()).verdict != cache_verdict::usable, "a copy that the ring has not sealed is used");
            return;
        }
        case 2: {
            cache_bytes bytes = bytes_of(in.rest());
            add_checksum(bytes);
            decode(bytes, std::nullopt);
            return;
        }
        case 3: {
            const cache_copy c = made_up(in);
            for (const std::optional<key_ring>& ring : {std::optional<key_ring>(), std::optional(test_ring())}) {
                const decoded_cache d = decode(encode_cache(c, ring), ring);
                promise(d.verdict == cache_verdict::usable && test::same(d.copy, c), "a copy does not come back: " + d.why);
            }
            return;
        }
        default: return altered(in);
    }
}
