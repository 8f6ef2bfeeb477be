#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// 256 random bits that values are sealed with. A value; distinct objects may be used from distinct threads.
///
/// Constructors throw std::invalid_argument for what is no such thing: any other length, text (nearly all bytes are
/// printable: a passphrase is no key), bytes that repeat or count. The message tells nothing of the content.
class sealing_key {
public:
    static constexpr std::size_t size = 32;

    /// The bytes themselves.
    DYNCONF_API explicit sealing_key(secret bytes);
    /// A new one, from the system's generator.
    DYNCONF_API static sealing_key generate();
    /// 43 or 44 characters: the standard or the URL alphabet, padded or not.
    DYNCONF_API static sealing_key from_base64(const secret& text);
    /// 64 digits, in upper or lower case.
    DYNCONF_API static sealing_key from_hex(const secret& text);
    /// Of a file that holds nothing else: the 32 bytes, or their base64 or hex text, which a line break may end. Reads it at
    /// once, for the start of a program; at a pipe it waits for whoever writes. Throws std::invalid_argument, too, when it cannot
    /// be read.
    DYNCONF_API static sealing_key from_file(const std::string& path);

    const secret& bytes() const noexcept { return bytes_; }
    /// For a file or a vault: what `from_base64` takes.
    DYNCONF_API secret to_base64() const;

    /// In constant time.
    friend bool operator==(const sealing_key& a, const sealing_key& b) noexcept { return a.bytes_ == b.bytes_; }

private:
    secret bytes_;
};

/// The keys of sealed values by their ids: one to write with, any number to read with. An id is 1 to 64 visible ASCII
/// characters; it stands in the clear in each value, and in messages. A value that never changes and is cheap to copy: a
/// change is another ring. Safe to use from any thread.
///
///     key_ring keys("2026-02", sealing_key::from_file("/run/secrets/etcd-2026-02"));
///     keys = keys.reading("2026-01", sealing_key::from_file("/run/secrets/etcd-2026-01"));
///     kv store(etcd.sealed(keys));
///
/// A new key comes into use in two steps, so that nobody meets a value that he cannot read: first every process has it by
/// `reading`, then it is the one to write with.
///
/// The bytes of a sealed value, version 1, are
///
///     offset   size   content
///     0        3      DC 53 56: the magic; no UTF-8 text begins so
///     3        1      01: the version
///     4        1      L: the length of the key id, 1 to 64
///     5        L      the key id
///     5+L      24     the nonce: random bits, for each value new
///     29+L     n      the value, encrypted; as long as the value itself
///     29+L+n   16     the tag
///
/// Nonce, encryption and tag are those of XAES-256-GCM (C2SP): the first half of the nonce makes of the ring's key one for
/// this value alone (two blocks of AES-256, as SP 800-108 with CMAC), the second half is the 96-bit nonce of AES-256-GCM
/// under that. The associated data are the bytes before the nonce, then etcd's whole key. So a value opens neither under
/// another key of etcd, nor with another key of the ring, nor with one bit changed.
///
/// Nothing is counted, so nothing can be counted twice by two processes, a restored machine or a fork. The nonces are drawn from
/// 2^192: among 2^80 values sealed with one key two are alike with a probability of 2^-33. (With 96 random bits alone it
/// would be so after 2^32.) What stays visible is the length of a value, when it was written, and its key. Who can write
/// to etcd can bring an older sealed value of the same key back.
class DYNCONF_API key_ring {
public:
    static constexpr std::size_t most_id_size = 64;

    /// Reads and writes with one key. Throws std::invalid_argument for an id that is none, or a key that was moved from.
    key_ring(std::string id, sealing_key write_key);

    /// With one more key to read with. Throws std::invalid_argument as the constructor, and for an id that is of another key.
    key_ring reading(std::string id, sealing_key key) const;
    /// With this key to write with; the one before is kept to read with. Throws as `reading`.
    key_ring writing(std::string id, sealing_key key) const;

    /// The id of the key that is written with.
    const std::string& write_id() const noexcept;
    bool has(std::string_view id) const noexcept;
    /// All, in order.
    std::vector<std::string> ids() const;

    /// Seals what is to be the value of this key of etcd: `key` is its whole name, a view's prefix included. `client::sealed`
    /// does so by itself. Throws `exception` only when the system has no random numbers.
    std::string seal(std::string_view key, std::string_view value) const;
    /// The value that was sealed. Fails with errc::not_sealed, unsupported_seal, unknown_key_id or seal_broken.
    result<std::string> open(std::string_view key, std::string_view sealed) const;

    /// By how much a value is longer when it is sealed.
    std::size_t overhead() const noexcept;

private:
    struct content;
    explicit key_ring(std::shared_ptr<const content> c) noexcept : content_(std::move(c)) {}

    std::shared_ptr<const content> content_;
};

/// Whether a value begins as a sealed one does. It may be broken all the same.
DYNCONF_API bool is_sealed(std::string_view value) noexcept;
/// The id of the key that a value was sealed with, a part of `value`; none where it is not sealed, or not in a way that this
/// version knows.
DYNCONF_API std::optional<std::string_view> sealed_with(std::string_view value) noexcept;

/// Asks a key service for a key that the ring does not have: the key, or none. What it throws is errc::key_unavailable. Called on
/// the client's strand, once at a time for an id, for 8 ids at once, and for 256 (or max_provided_keys) because of one answer.
using key_provider = std::function<boost::asio::awaitable<std::optional<sealing_key>>(std::string id)>;

}  // namespace dynconf
