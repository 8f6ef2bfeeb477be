#include "fuzz/target.hpp"

#include <dynconf/key_ring.hpp>

#include "crypto/aead.hpp"
#include "crypto/envelope.hpp"

using namespace dynconf;
using fuzz::promise;

namespace {

constexpr const char* hex_key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
constexpr const char* other_hex_key = "feffe9928665731c6d6a8f9467308308aabbccddeeff00112233445566778899";

const key_ring& ring() {
    static const key_ring r = key_ring("k1", sealing_key::from_hex(hex_key)).reading("old", sealing_key::from_hex(other_hex_key));
    return r;
}

/// Keys of etcd and ids of keys may be named.
void refused_well(const result<std::string>& opened, std::string_view value, bool is_named = true) {
    promise(!opened.has_value(), "what nobody sealed is opened");
    const error& e = opened.error();
    promise(e == errc::not_sealed || e == errc::unsupported_seal || e == errc::seal_broken || e == errc::unknown_key_id, "another error: " + e.message());
    promise((e == errc::not_sealed) == !is_sealed(value), "sealed or not: " + e.message());
    promise(e.detail.size() <= 500, "too much is quoted");
    promise(is_named || e.detail.find(fuzz::canary) == std::string::npos, "the value is quoted: " + e.message());
}

/// Opens it as it is, and never when a byte is another, cut off, added, or its key of etcd is another.
void sealed_is_bound(fuzz::input& in) {
    const std::string id = in.byte() % 2 == 0 ? "k1" : "old";
    const std::string nonce(crypto::xaes_nonce_size, static_cast<char>(in.byte()));
    const std::size_t at = in.number();
    const auto by = static_cast<char>(in.byte() | 1);
    const std::string key(in.line());
    const bool named = key.find(fuzz::canary) != std::string::npos;
    const std::string value = std::string(fuzz::canary) + std::string(in.rest());
    const auto secret_key = sealing_key::from_hex(id == "k1" ? hex_key : other_hex_key);
    const std::string sealed = crypto::seal(id, secret_key.bytes().reveal(), nonce, key, value);

    promise(sealed.size() == value.size() + crypto::envelope_overhead(id.size()), "of another size");
    promise(sealed.find(value) == std::string::npos, "in the clear");
    promise(sealed_with(sealed) == std::string_view(id), "with another key's id");
    const auto opened = ring().open(key, sealed);
    promise(opened.has_value() && *opened == value, "what was sealed does not come back");

    std::string altered = sealed;
    char& one = altered[at % altered.size()];
    one = static_cast<char>(one ^ by);
    refused_well(ring().open(key, altered), altered, named);
    const std::string shorter = sealed.substr(0, at % sealed.size());
    refused_well(ring().open(key, shorter), shorter, named);
    refused_well(ring().open(key, sealed + by), sealed, named);
    refused_well(ring().open(key + by, sealed), sealed, named);
    refused_well(key_ring("else", sealing_key::from_hex(hex_key)).open(key, sealed), sealed, named);
}

}  // namespace

FUZZ_TARGET(envelope) {
    if (in.byte() % 2 == 1) return sealed_is_bound(in);
    const std::string key(in.line());
    const std::string_view value = in.rest();
    refused_well(ring().open(key, value), value);
    const auto parts = crypto::parse_envelope(value);
    promise(parts.has_value() == sealed_with(value).has_value(), "two opinions on what is sealed");
    if (!parts) return;
    promise(std::string(parts->header) + std::string(parts->nonce) + std::string(parts->sealed) == value, "bytes that belong to no part");
    const sealing_key any = sealing_key::from_hex(hex_key);
    promise(parts->key_id == "k1" || parts->key_id == "old" || ring().reading(std::string(parts->key_id), any).has(parts->key_id), "an id that no ring takes");
    promise(parts->nonce.size() == crypto::xaes_nonce_size && parts->sealed.size() >= crypto::tag_size, "a part is too short");
}
