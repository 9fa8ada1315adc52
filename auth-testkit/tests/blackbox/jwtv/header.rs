//! What the header says, and who is believed.

use std::net::TcpListener;

use auth_core::keys::{SigningAlgorithm, SigningKey};
use serde_json::{Value, json};

use super::*;

blackbox! {
    async fn a_095_no_algorithm(setup: Setup) {
        let house = House::open(setup).await;
        house.refuses(|door, claims| {
            let algorithms = ["none", "None", "NONE", "nOnE", "", " none", "HS256", "ES384", "rs256"];
            let mut forged: Vec<String> = Vec::new();
            for algorithm in algorithms {
                let header = with(&door.header, "alg", json!(algorithm)).to_string();
                forged.push(format!("{}.", input(&header, &claims.to_string())));
                forged.push(door.headed("alg", json!(algorithm), claims));
            }
            let unsigned = input(&json!({"alg": "none"}).to_string(), &claims.to_string());
            forged.extend([format!("{}.", door.input(claims)), door.input(claims), unsigned.clone()]);
            forged.extend([format!("{unsigned}."), format!("{unsigned}..")]);
            forged.push(door.headed("alg", Value::Null, claims));
            forged.push(door.headed("alg", json!(["ES256", "RS256"]), claims));
            forged
        })
        .await;
        let document = Browser::new().get(&house.world.url("/.well-known/openid-configuration")).await;
        for (name, values) in document.unwrap().json().as_object().unwrap() {
            if name.contains("alg_values") {
                assert!(!values.to_string().contains("none"), "{name}: {values}");
            }
        }
    }

    async fn a_098_the_key_comes_along(setup: Setup) {
        let house = House::open(setup).await;
        let attacker = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        house
            .refuses(|door, claims| {
                let jwk = json!(attacker.jwk());
                let forged = |header: Value| sign_with(&attacker, &header.to_string(), &claims.to_string());
                let es = with(&with(&door.header, "alg", json!("ES256")), "jwk", jwk.clone());
                vec![
                    forged(es.clone()),
                    forged(with(&es, "kid", json!(attacker.kid().as_str()))),
                    forged(with(&es, "kid", Value::Null)),
                    forged(with(&with(&es, "jwk", Value::Null), "x5c", json!(["MIIB"]))),
                ]
            })
            .await;
        for door in &house.doors {
            // With the right signature it does not matter what else is in there.
            let header = door.headed("jwk", json!(attacker.jwk()), &house.claims(door));
            house.assert_admitted(door, &header).await;
        }
    }

    async fn a_099_the_header_says_where_keys_are(setup: Setup) {
        let house = House::open(setup).await;
        let canary = TcpListener::bind("127.0.0.1:0").unwrap();
        canary.set_nonblocking(true).unwrap();
        let url = format!("http://{}/jwks.json", canary.local_addr().unwrap());
        let attacker = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        house
            .refuses(|door, claims| {
                let mut forged = Vec::new();
                for name in ["jku", "x5u"] {
                    for kid in [json!(attacker.kid().as_str()), door.header["kid"].clone(), Value::Null] {
                        let header = with(&with(&door.header, "alg", json!("ES256")), name, json!(url));
                        let header = with(&header, "kid", kid).to_string();
                        forged.push(sign_with(&attacker, &header, &claims.to_string()));
                    }
                }
                forged
            })
            .await;
        let fetched = canary.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(fetched, Err(std::io::ErrorKind::WouldBlock), "somebody fetched a key");
    }

    async fn a_100_a_name_is_a_name(setup: Setup) {
        let house = House::open(setup).await;
        let other = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        house
            .refuses(|door, claims| {
                let names = [
                    json!("../../../../dev/null"),
                    json!("' OR 1=1--"),
                    json!("k\u{0}k"),
                    json!("x".repeat(8 * 1024)),
                    json!(""),
                    json!(7),
                    json!([door.header["kid"]]),
                    json!({"kid": door.header["kid"]}),
                    json!(other.kid().as_str()),
                ];
                names.into_iter().map(|name| door.headed("kid", name, claims)).collect()
            })
            .await;
        // A key of another issuer, under the name of ours.
        let elsewhere = House::open(setup).await;
        let theirs = &elsewhere.doors[0];
        let door = &house.doors[0];
        let forged = sign_with(&theirs.key, &door.header.to_string(), &house.claims(door).to_string());
        house.assert_refused(door, &forged).await;
    }

    async fn a_109_what_must_be_understood_and_is_not(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let critical = [json!(["exp"]), json!([]), json!(["b64"]), json!(["x", "x"]), json!("x"), json!(["alg"])];
                let mut forged: Vec<String> =
                    critical.into_iter().map(|crit| door.headed("crit", crit, claims)).collect();
                forged.push(door.headed("b64", json!(false), claims));
                forged.push(door.headed("zip", json!("DEF"), claims));
                forged
            })
            .await;
    }
}
