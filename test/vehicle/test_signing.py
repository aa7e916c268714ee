"""Signed bundles: who vouches is known, and what nobody vouches for does not drive."""

import json
import stat
import threading

import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given

from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.policy_archive import pack, unpack
from racer_vehicle.policy_loader import PolicyLoader, load_policy
from racer_vehicle.signature import Signature
from racer_vehicle.signing import PrivateKey, PublicKey, TrustedKeys, sign
from racer_vehicle.spec import CarSpec

KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = PrivateKey.generate()
TRUSTED = TrustedKeys((KEY.public,))
PATIENCE_S = 20.0


def with_signature(bundle, text):
    return pack({**unpack(bundle.content), 'signature.json': text})


def refusal(bundle, pattern, trusted=TRUSTED):
    with pytest.raises(ModelMismatchError, match=pattern):
        trusted.require_signed(bundle)


class TestSigning:
    def test_a_signed_bundle_is_the_same_policy(self, toy, tmp_path):
        plain = toy()
        signed = sign(plain, KEY)
        signed.write(tmp_path / 'toy.racer')
        read = PolicyBundle.read(tmp_path / 'toy.racer')
        assert read == signed
        assert (read.card, read.onnx, read.card_json) == (plain.card, plain.onnx, plain.card_json)
        assert read.signature.key_id == KEY.key_id
        assert read.sha256 != plain.sha256
        TRUSTED.require_signed(read)

    def test_the_same_key_signs_the_same_way_and_another_takes_its_place(self, toy):
        assert sign(toy(), KEY).sha256 == sign(toy(), KEY).sha256
        assert sign(sign(toy(), OTHER), KEY) == sign(toy(), KEY)

    def test_every_trusted_key_will_do(self, toy):
        both = TrustedKeys((KEY.public, OTHER.public))
        for key in (KEY, OTHER):
            both.require_signed(sign(toy(), key))

    def test_it_is_plain_ed25519_over_a_prefix_and_the_card(self, toy):
        """What somebody else's program would verify."""
        signed = sign(toy(), KEY)
        KEY.public.key.verify(bytes.fromhex(signed.signature.signature),
                              b'racer policy bundle, signature format 1\0' + signed.card_json)


class TestRefusals:
    def test_unsigned(self, toy):
        refusal(toy(), rf"policy 'toy' \([0-9a-f]+\) is not signed; allowed: a signature by "
                       rf'{KEY.key_id}; sign it: racer models export --sign KEY')

    def test_an_unknown_key(self, toy):
        refusal(sign(toy(), OTHER), f'is signed by unknown key {OTHER.key_id}; allowed: a signat')

    def test_a_signature_of_another_policy(self, toy):
        worn = toy(steering=-1.0).signed(sign(toy(), KEY).signature)
        refusal(worn, f'has a wrong signature of key {KEY.key_id}; .*get it again from who signed')

    def test_a_foreign_key_that_calls_itself_the_trusted_one(self, toy):
        forged = sign(toy(), OTHER).signature
        refusal(toy().signed(Signature(key_id=KEY.key_id, signature=forged.signature)),
                'wrong signature of key')

    def test_a_signature_of_the_bare_card(self, toy):
        """A key that signs files for other purposes vouches for no policy."""
        bundle = toy()
        bare = KEY.key.sign(bundle.card_json).hex()
        refusal(bundle.signed(Signature(key_id=KEY.key_id, signature=bare)), 'wrong signature')

    def test_a_card_or_network_exchanged_under_the_signature(self, toy):
        signed, other = sign(toy(), KEY), toy(steering=-1.0)
        members = {**unpack(other.content), 'signature.json': signed.signature.to_json().encode()}
        refusal(PolicyBundle.read(pack(members)), 'wrong signature')
        members['card.json'] = signed.card_json
        with pytest.raises(ModelMismatchError, match=r'has SHA-256 \S+; allowed by its card'):
            PolicyBundle.read(pack(members))

    @given(st.data())
    def test_any_changed_byte_of_a_signed_bundle(self, toy, data):
        content = bytearray(sign(toy(), KEY).content)
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        with pytest.raises(ModelMismatchError):
            TRUSTED.require_signed(PolicyBundle.read(bytes(content)))

    @given(st.integers(0, 127), st.integers(1, 15))
    def test_any_other_signature(self, toy, place, change):
        digits = sign(toy(), KEY).signature.signature
        wrong = f'{int(digits[place], 16) ^ change:x}'
        changed = digits[:place] + wrong + digits[place + 1:]
        refusal(toy().signed(Signature(key_id=KEY.key_id, signature=changed)), 'wrong signature')

    @pytest.mark.parametrize(('changes', 'message'), [
        ({'format': 2}, r'Signature\.format is 2; allowed: 1 to 1'),
        ({'format': True}, r'the signature\.format is True; allowed: a int'),
        ({'key_id': 'ab'}, r"key_id is 'ab'; allowed: 32 hexadecimal digits"),
        ({'signature': 'A' * 128}, 'allowed: 128 hexadecimal digits'),
        ({'comment': 'hello'}, 'the signature has unknown comment'),
    ])
    def test_a_signature_file_is_read_strictly(self, toy, changes, message):
        bundle = sign(toy(), KEY)
        text = json.dumps(json.loads(bundle.signature.to_json()) | changes)
        with pytest.raises(ModelMismatchError, match=message):
            PolicyBundle.read(with_signature(bundle, text.encode()))

    @pytest.mark.parametrize('text', [b'', b'hello', b'[]', b'\x80\x04.', b'{"format": 1}'])
    def test_what_is_no_signature(self, toy, text):
        with pytest.raises(ModelMismatchError, match=r'the bundle is refused: the signat'):
            PolicyBundle.read(with_signature(toy(), text))


class TestLoading:
    def test_a_car_that_trusts_keys_loads_only_what_they_signed(self, toy, tmp_path):
        signed, plain = sign(toy(), KEY), toy()
        plain.write(tmp_path / 'plain.racer')
        assert load_policy(signed.content, CarSpec(), TRUSTED).bundle == signed
        for source in (plain.content, tmp_path / 'plain.racer'):
            with pytest.raises(ModelMismatchError, match='is not signed'):
                load_policy(source, CarSpec(), TRUSTED)

    def test_a_car_that_trusts_none_asks_for_no_signature(self, toy):
        assert load_policy(toy().content, CarSpec()).bundle == toy()
        assert load_policy(sign(toy(), OTHER).content, CarSpec()).bundle.signature is not None

    def test_the_runtime_never_sees_a_network_that_nobody_signed(self, toy):
        """Signed or not comes before whether it would run."""
        broken = PolicyBundle.pack(toy().card, toy().onnx[:-1] + b'\x00')
        with pytest.raises(ModelMismatchError, match='is not signed'):
            load_policy(broken.content, CarSpec(), TRUSTED)

    def test_bundles_that_come_while_driving_are_held_to_it(self, toy):
        done = threading.Semaphore(0)
        loader = PolicyLoader(CarSpec(), done.release, TRUSTED)
        for bundle in (toy(), sign(toy(), OTHER)):
            loader.submit(bundle.content, bundle.sha256)
            assert done.acquire(timeout=PATIENCE_S)
            with pytest.raises(ModelMismatchError, match=r'is not signed|unknown key'):
                loader.take()
        good = sign(toy(), KEY)
        loader.submit(good.content, good.sha256)
        assert done.acquire(timeout=PATIENCE_S)
        assert loader.take().bundle == good
        loader.close()


class TestKeyFiles:
    def test_keys_come_back_and_the_private_one_is_private(self, toy, tmp_path):
        KEY.write(tmp_path / 'keys' / 'a.pem')
        KEY.public.write(tmp_path / 'keys' / 'a.pub.pem')
        assert stat.S_IMODE((tmp_path / 'keys' / 'a.pem').stat().st_mode) == 0o600
        read = PrivateKey.read(tmp_path / 'keys' / 'a.pem')
        assert sign(toy(), read) == sign(toy(), KEY)
        assert PublicKey.read(tmp_path / 'keys' / 'a.pub.pem').key_id == KEY.key_id

    def test_the_id_is_of_the_key(self):
        """Known answer: SHA-256 of RFC 8032's way from a seed to a public key."""
        assert KEY.key_id == '56475aa75463474c0285df5dbf2bcab7'
        assert OTHER.key_id != KEY.key_id

    def test_a_key_is_not_overwritten(self, tmp_path):
        KEY.write(tmp_path / 'a.pem')
        with pytest.raises(ConfigError, match=r'there is a key .*a\.pem already; allowed: a new'):
            OTHER.write(tmp_path / 'a.pem')
        assert PrivateKey.read(tmp_path / 'a.pem').key_id == KEY.key_id

    def test_a_private_key_that_others_may_read_is_refused(self, tmp_path):
        KEY.write(tmp_path / 'a.pem')
        (tmp_path / 'a.pem').chmod(0o640)
        with pytest.raises(ConfigError, match=r'has mode 640; allowed: 600.*chmod 600'):
            PrivateKey.read(tmp_path / 'a.pem')

    @pytest.mark.parametrize('content', [b'', b'hello', b'-----BEGIN PUBLIC KEY-----\n'])
    def test_files_that_are_no_keys(self, tmp_path, content):
        path = tmp_path / 'a.pem'
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(ConfigError, match='is no public Ed25519 key'):
            PublicKey.read(path)
        with pytest.raises(ConfigError, match='is no private Ed25519 key'):
            PrivateKey.read(path)

    def test_a_key_with_a_passphrase_is_told_so(self, tmp_path):
        path = tmp_path / 'a.pem'
        path.write_bytes(KEY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8,
                                               BestAvailableEncryption(b'secret')))
        path.chmod(0o600)
        with pytest.raises(ConfigError, match='without a passphrase'):
            PrivateKey.read(path)

    def test_missing_and_huge_files(self, tmp_path):
        with pytest.raises(ConfigError, match=r'cannot read key .*none\.pem: No such file'):
            PrivateKey.read(tmp_path / 'none.pem')
        (tmp_path / 'huge.pem').write_bytes(bytes(10_000))
        with pytest.raises(ConfigError, match='more than 4096 bytes'):
            PublicKey.read(tmp_path / 'huge.pem')


class TestTrustedFolder:
    def test_every_key_of_it_counts(self, toy, tmp_path):
        for name, key in (('a', KEY), ('b', OTHER)):
            key.public.write(tmp_path / f'{name}.pub.pem')
        trusted = TrustedKeys.read(tmp_path)
        for key in (KEY, OTHER):
            trusted.require_signed(sign(toy(), key))
        refusal(toy(), f'{KEY.key_id} or {OTHER.key_id}|{OTHER.key_id} or {KEY.key_id}', trusted)

    def test_a_folder_without_a_key_is_refused_rather_than_trusting_all_or_none(self, tmp_path):
        with pytest.raises(ConfigError, match=r'holds no \*\.pem; allowed: a folder of public'):
            TrustedKeys.read(tmp_path)
        with pytest.raises(ConfigError, match='is no folder'):
            TrustedKeys.read(tmp_path / 'nothing')

    def test_a_private_key_on_the_car_is_refused(self, tmp_path):
        KEY.write(tmp_path / 'a.pem')
        with pytest.raises(ConfigError, match='is a private key; allowed: public keys'):
            TrustedKeys.read(tmp_path)
