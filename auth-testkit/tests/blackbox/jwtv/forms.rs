//! Texts that are nearly a JWT.

use std::time::Instant;

use serde_json::json;

use super::*;

blackbox! {
    async fn a_104_signatures_and_segments_of_another_form(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let good = door.sign(&door.header, claims);
                let (input, signature) = good.rsplit_once('.').unwrap();
                let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
                let encoded = |bytes: &[u8]| format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
                let der = [&[0x30, 0x44, 2, 32][..], &bytes[..32], &[2, 32], &bytes[32..64]].concat();
                vec![
                    encoded(&bytes[1..]),
                    encoded(&bytes[..bytes.len() - 1]),
                    encoded(&[&bytes[..], &[0]].concat()),
                    encoded(&[&[0], &bytes[..]].concat()),
                    encoded(&der),
                    format!("{good}="),
                    format!("{good}=="),
                    format!("{good}A"),
                    format!("{input}.{}", signature.replace('_', "/").replace('-', "+") + "/"),
                    format!(" {good}"),
                    format!("{good}\n"),
                    good.replacen('.', ". ", 1),
                    good.replacen('.', "..", 1),
                    format!(".{good}"),
                    format!("{good}."),
                    format!("{good}.{signature}"),
                    input.to_owned(),
                    ".".to_owned(),
                    "..".to_owned(),
                ]
            })
            .await;
        // Bits of the last character that no byte has (RFC 4648 §3.5).
        for door in &house.doors {
            let good = house.good(door);
            let last = good.chars().last().unwrap();
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
            house.assert_refused(door, &format!("{}{next}", &good[..good.len() - 1])).await;
        }
    }

    async fn a_110_other_serialisations(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let good = door.sign(&door.header, claims);
                let parts: Vec<&str> = good.split('.').collect();
                let one = json!({"protected": parts[0], "signature": parts[2]});
                vec![
                    json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]}).to_string(),
                    json!({"payload": parts[1], "header": door.header, "signature": parts[2]}).to_string(),
                    json!({"payload": parts[1], "signatures": [one]}).to_string(),
                    json!({"payload": parts[1], "signatures": [one, one]}).to_string(),
                    format!("[\"{good}\"]"),
                    format!("{good},{good}"),
                    format!("{good}~"),
                ]
            })
            .await;
    }

    async fn a_111_two_readers_of_one_text(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let good = door.sign(&door.header, claims);
                let parts: Vec<&str> = good.split('.').collect();
                let evil = URL_SAFE_NO_PAD.encode(with(claims, "sub", json!("u-bob")).to_string());
                vec![
                    format!("{}.{evil}.{}", parts[0], parts[2]),
                    format!("{}.{}.{evil}.{}", parts[0], parts[1], parts[2]),
                    format!("{{\"{}.{evil}.\":\"\",\"protected\":\"{}\",\"payload\":\"{}\",\"signature\":\"{}\"}}", parts[0], parts[0], parts[1], parts[2]),
                    format!("{}.{evil}.{}.{}.{}", parts[0], parts[0], parts[1], parts[2]),
                ]
            })
            .await;
    }

    async fn a_112_something_encrypted_in_its_place(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                let inner = claims.to_string();
                let mut forged = Vec::new();
                for (alg, enc) in [
                    ("dir", "A256GCM"), ("RSA-OAEP-256", "A256GCM"), ("RSA1_5", "A128CBC-HS256"),
                    ("ECDH-ES", "A128GCM"), ("PBES2-HS256+A128KW", "A128GCM"),
                ] {
                    let header = json!({
                        "alg": alg, "enc": enc, "kid": door.header["kid"], "zip": "DEF", "p2c": i32::MAX, "p2s": "AAAA",
                    });
                    let header = part(header.to_string().as_bytes());
                    forged.push(format!("{header}..{}.{}.{}", part(&[0; 12]), part(inner.as_bytes()), part(&[0; 16])));
                    forged.push(format!("{header}.{}.{}.{}.{}", part(&[1; 256]), part(&[0; 12]), part(&[2; 64]), part(&[0; 3])));
                }
                forged
            })
            .await;
    }

    async fn a_119_dots_and_length(setup: Setup) {
        let house = House::open(setup).await;
        for door in &house.doors {
            let good = house.good(door);
            for long in [".".repeat(60_000), format!("{good}.{}", ".".repeat(40_000)), "a".repeat(60_000), format!("{good}{}", "A".repeat(20_000))] {
                let parameter = match door.entry {
                    Entry::Hint => "id_token_hint",
                    Entry::Request => "request",
                    Entry::Assertion | Entry::Access => "",
                };
                if !parameter.is_empty() {
                    // A request line is no longer; the endpoint takes 16 KiB by POST.
                    let form = request("web").set("prompt", "none").set(parameter, &long).query();
                    let post = house.browser.http().post(house.world.url("/oauth2/auth")).body(form);
                    let post = post.header("content-type", "application/x-www-form-urlencoded");
                    let reply = house.browser.send(post).await.unwrap();
                    assert!(reply.status.is_client_error() && reply.location().is_none());
                    continue;
                }
                let begun = Instant::now();
                house.assert_refused(door, &long).await;
                assert!(begun.elapsed().as_secs() < 2);
            }
            // As long as may be, and with as many members.
            let wide: serde_json::Map<String, Value> = (0..80).map(|n| (format!("x{n}"), json!(n))).collect();
            let mut claims = house.claims(door);
            claims.as_object_mut().unwrap().extend(wide);
            house.assert_admitted(door, &door.sign(&door.header, &claims)).await;
        }
    }

    async fn a_121_members_that_stand_twice_and_deep_nesting(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let text = claims.to_string();
                let header = door.header.to_string();
                let twice = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
                let iss = format!("\"iss\":{}", claims["iss"]);
                let alg = format!("\"alg\":{}", door.header["alg"]);
                let nested = |depth: usize| format!("\"x\":{}1{}", "[".repeat(depth), "]".repeat(depth));
                let inside = format!("\"x\":{{{iss},{iss}}}");
                vec![
                    door.sign_text(&header, &twice(&text, &iss)),
                    door.sign_text(&header, &twice(&text, "\"iss\":\"u-bob\"")),
                    door.sign_text(&header, &twice(&text, "\"\\u0069ss\":\"u-bob\"")),
                    door.sign_text(&header, &twice(&text, &inside)),
                    door.sign_text(&twice(&header, &alg), &text),
                    door.sign_text(&header, &twice(&text, &nested(33))),
                    door.sign_text(&header, &twice(&text, &nested(1_500))),
                    door.sign_text(&twice(&header, &nested(1_500)), &text),
                    door.sign_text(&header, &format!("{text}{text}")),
                    door.sign_text(&header, &format!("[{text}]")),
                    door.sign_text(&header, "null"),
                ]
            })
            .await;
        for door in &house.doors {
            let text = house.claims(door).to_string();
            let flat = format!("{{\"x\":{}1{},{}", "[".repeat(20), "]".repeat(20), &text[1..]);
            house.assert_admitted(door, &door.sign_text(&door.header.to_string(), &flat)).await;
        }
    }
}
