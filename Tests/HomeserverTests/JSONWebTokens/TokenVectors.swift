// Tokens made with PyJWT 2.15, an implementation that is not ours, and the keys that they were signed with.

import MatrixCore
import ServerConfiguration

enum TokenVectors {
    static let secret = "a secret of a good length, known to two"

    /// `sub` alice, `iss` https://issuer.example, `aud` martlet, `exp` in the year 2100, `name` Alice Liddell.
    static let tokens: [(algorithm: JWTAlgorithm, token: String)] = [
        (
            .rs256,
            """
            eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.7kXIyIhq2fSWoU34upw-Tp1RpdotIXirajQsmmtc_Pk\
            W8q-lp-Y2kThoIOi8FjVgn_KlxcVdTvikCf84aN0H-EF2goZdMStNx4DlWqXv4Sb0JLN4eJn5HZyjy7v32GOAG5_h8TEg1tQijQ1Kl5PQQhMuawHmH8gwBSHioyID-l1\
            rwI6Y3OYJ1TqcxR2hNlONZstFftNy7wKd4Qrky-QMiJdV63WIYneijpuYVP3mpz_fLlwrK-XYGiKToysZAIHEI_P2u1yCGIsmdA6As6QEgfbBdwGJl3ort6B5cFNSUTN\
            GJp9WOTfLMRM0d_QvF-jeCAQ-5Y1CFi-1XaWhqFSWhA
            """
        ),
        (
            .rs384,
            """
            eyJhbGciOiJSUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.DAunodjcnY8hxvAX1BdTkKXRHUFZoEVzKdMkVNf3LoZ\
            LS3Ln3Mz3ZqaSJnlhgGQwgEWQaDx_ANOQH6eUfPSULQct224BC5xoPnA8-q2Yj0JGtAE0mHj9nqSjdSzcslwGEtLaH1tp3Le-paJjmPVUWWcGi4hJD0Cz7ohW8bcKAuk\
            kzmDEG5UvCtGzzkOWAKcsmvNAH0F9LtvEcRJp4w7iI3xs-nTjsN52jqjs946z-F6C7fQwDq9OaoBtKWX7qLwp2hIbFQ24JhYkD6QY182tNSubYFzLf8ElVQn-HIbNCBd\
            rxoMUVc0a1NGc75RnldmMeHRhDGIC_EIqvSJvhr8DZA
            """
        ),
        (
            .rs512,
            """
            eyJhbGciOiJSUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.i_QcU0yqGtkjUL7wUnDnmAQFVrniv3zSiG87JL89lBv\
            pgiaNHosTkN6R05fMLGgQBK-RFpBR_XxhGeE-CUy4AnvEsi533DuAI4qXTX118P-_PCprpjzZY7sqhwgABz9GqZJPyteAstF6BMNWgbVEik3DDXrvYkwlquy_nM8ff1m\
            mlM3F-ZLACi1dSqT5XJ4yFIn-9CUeBM6q7B2Mo52A54cNMzUVCAjrado9czVkUffDUQIa9Wi8UlaMFWQphjaphxic8eQ0_EJzTGL7E4IYdO6dpaRMP_-QTngwgTa0U2O\
            7-nNSJmsGgB0EsYXn763tma-gd2K8J8jR_z9trCTdzg
            """
        ),
        (
            .ps256,
            """
            eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.usrfu1iE4KcuXc4SZ1NNGTP4oBOwC3RhMqs1QIReabu\
            LN4lhgx7ntauigdcExZhw8nPJGwKZVdCAFMKj5DuOriOgut93ne_2rtn5oLYQB_LnNsUJ2mT65zmqsIrlIu3MOCyrEbB5rbwMGe45TN0RYVipUx2RPCx4k5MPGk22N0F\
            iP787wSlfot0XXYUsmfIyNKgNNkIFchb9jde5a-8Cl12kUMAdVB9POu1AH19U1TVrZe_tCMrilqqWrrQtzbtasOpJhGoIT6NA7q2Ya2k3LzgauvJiaoPrWGfTogAmnPe\
            vsuhQp-9jBTn8cQSUWfcclyZIam4b1BLFDkDUzDqdhg
            """
        ),
        (
            .ps384,
            """
            eyJhbGciOiJQUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.vKo0SB4VLkJw1OJQOiA8o8GZEWi99mFgmg8svtsFDXI\
            5voOTFMP-1K8HSSGWYqhryF5oFadj_jI5FJFvXcgsP_0BdqBah-Z91msGZIbk5cqXTVhZmbIMKohtyijB56DdQUg-L4hNASowr4A7CrGjSqXFABsM_ALaYW6pfHleIzN\
            pSyn_7f5G8dY5ekP9q8IRjhzRRDje2poHDEAfSP2dWPQTejTKnHoF-nqCET7WAPnyKCib8mz3JHWbu1-KSEkQbHZq_Wm6Xu28qvLzIabfQylv0cGPB0SpyK-4BWrn2qV\
            0m2_jXMeHHpXNWr-SK29xsFSwmWCpIbdq29m8Lv8CIA
            """
        ),
        (
            .ps512,
            """
            eyJhbGciOiJQUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ\
            0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.cqdqnS0FRpX_CBwwEXDClCNd5CFaqiok9AZujPGR1nJ\
            ogeBfLoFKLATPmslcexPiGkJjzuPVi-Z1Q8k6cMcJMkPmWegfXrLroC6wmb44DHT9Tt6MmcOc4v8iiDgsYrSXoehZ6cZkdpB9lhQcrd3JbVWg7xFLgfyqEGCTilLrBTi\
            ZdB3zfPrVU8qsqWs28rBEXlN6xhVvfZ2FCVluC2qpmvVfZobD5o_VQT_4vuhdV59glwiyWPich3sctd-TD-k8U6sgk-oUr06DDtQk-mm4gdZbpviZlVVGyr_HHkqrzZD\
            AS5b18EQWQpx0xX95xYwdA3IzHVCHW0w0OW9p3oHevQ
            """
        ),
        (
            .es256,
            """
            eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzMjU2IiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJt\
            YXJ0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.E4XTM2gbzU77v4FJ4lT3pW2Xl4sUKNydEcm1qvjs\
            P-hJCIfVHuTevnm7HrmVjN6IBwkmxWm6YPxICBg0oyMY0g
            """
        ),
        (
            .es384,
            """
            eyJhbGciOiJFUzM4NCIsImtpZCI6ImVzMzg0IiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJt\
            YXJ0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.hvG8Vo4YMrKOZhARAoaqn8hul6uj749nMC7Kzm3u\
            YTxNSRZi9zROzi8xcWdIp3LOp_Zm6B1FvYKguOLDuC5qjfkE5qn4PhtSg2upACPocixJz0U1OFIEIakFZBVj4bGQ
            """
        ),
        (
            .es512,
            """
            eyJhbGciOiJFUzUxMiIsImtpZCI6ImVzNTEyIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJt\
            YXJ0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.AZ7NRZK4WSs4ZUq8GEN-F98elL7hkuBbICliv2HK\
            Y4JsQb41KErSsRz1NeNNq8OgncDfEg4ZR0zwLaKSPSmVPEU9AK_w6RbQc0YZxw5Z7euYW0-o79d4orLrCh2CLAJs50f3GLThDp8LwHI2YWBzOA0NURbt8JwOaqcCueu5\
            NRRkVgbJ
            """
        ),
        (
            .edDSA,
            """
            eyJhbGciOiJFZERTQSIsImtpZCI6ImVkZHNhIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJt\
            YXJ0bGV0IiwiaWF0IjoxNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.Nzpj12P5yuHLE-BFLcA0NgKmVwRHL_6Ypg1zLk-d\
            5RQi3KdBX-ZJt2uAEmu_u3pbxirEwzIlmj5wPJWkhQUwCA
            """
        ),
        (
            .hs256,
            """
            eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ0bGV0IiwiaWF0Ijo\
            xNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.5ohDgnwgT6fqLw9qYWAV8ZLdaUUZDh3LJ9NYfk_k8WE
            """
        ),
        (
            .hs384,
            """
            eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ0bGV0IiwiaWF0Ijo\
            xNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.10rSZkF5LEi6E2dTgW7sEJZOg_XwSNsVLvV_wKyaLXbSiRFC00N0GJvzijU\
            Pwoev
            """
        ),
        (
            .hs512,
            """
            eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJtYXJ0bGV0IiwiaWF0Ijo\
            xNjAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJBbGljZSBMaWRkZWxsIn0.uoPH-FWeT6CN0v8QQPpBF_qQqg_vByOixb4DR7DjzUXow_XPDISwlgIxZpR\
            To5Lks5jW3sW5dkwSKz9HfAddjw
            """
        ),
    ]

    static let keySet = """
        {"keys":[{"kty":"RSA","kid":"rsa","use":"sig","n":"7so8eY5gZs0QkZQIlQB4Lihd447cBisZYlLZR2Qf5ElVeDIIgvlUUy5OW1bo2UREW9s77iht6IHhN\
        v2A_-TIsODXuED8HWPYA9POqp1AMF3LCjTXpBS9UWHWHvAxkn5xGV1FeovqwvbRDHl75kqHbYlHZ5bxZ2Uf5HKwCH45M_RNPs2V3HIOPfvXm0NlCtNVYB0us0aoAP4J2\
        4onca32lNJZ4LD6463llH62DOzfI8i7TbHQYHuMMxG38h8kCtXwHQHuA2E7KEqR9abHJacMT-1UVNABQtWgPdExD031mkimAp1E8dmqpj5-UPvDYjreFGyE1m2r_sIzr\
        a0u6igzjw","e":"AQAB"},{"kty":"EC","kid":"es256","crv":"P-256","x":"j54Cg2Fbn8NPMwvVcPWkGzRLY0n8DXbO1ilYxX9anrY","y":"P2wDQUoGVB\
        MRPu2qUNrsZ8R3LS27IYU5H9XxVGsJbS8"},{"kty":"EC","kid":"es384","crv":"P-384","x":"JBAHvTw9Nt1laLKdHFagBHNLashELatd9WhW_prMOmby86u\
        4KtObXTnBssumtJ_O","y":"ONWpA_tgjFpDCnKRYj-SuG_CrhJPvthuVKSh708w-I40P5G1Nyn4yeaDTbW7hi_E"},{"kty":"EC","kid":"es512","crv":"P-52\
        1","x":"AAeD-O8u83MBDLqre3AGXUYrpPo79L_t2I-dT4WUEuqiN6vSA1aE8PrSU3gU6nqkBOcSBDJ0qDzAKEST-EbzIZQO","y":"AbOOncPfueAI2zoE6_OjeZa3p\
        83D72hzT8-D2aQtYUtOLG8l_c5FcJDcjxHlKSyRd73W-5UsKd2l7tZb51vx5rM-"},{"kty":"OKP","kid":"eddsa","crv":"Ed25519","x":"yh_LoAmggxImQr\
        Hm8NfVBpBE7VTPjWtA3B8YQa-M2OI"}]}
        """

    /// An RSA key of 1024 bits.
    static let weakKey = """
        {"kty":"RSA","kid":"weak","n":"rCFTJrIUoyerVrzVfYamJSyZOUZgMW6Rj8iD-xSfZ0dagWH_4DU8bPWO1rKYGs49xFhiqTdzZXTeLu7fMj8XzjM6Hykw1vXt8\
        jc7xIxJsss5gYSyizJ9qN1kAABWPeJ47ZZHY8sheTzVa_22nU062saWCIi4lHohdh6z-yF-V3M","e":"AQAB"}
        """

    static let publicKeys: [(algorithm: JWTAlgorithm, pem: String)] = [
        (
            .rs256,
            """
            -----BEGIN PUBLIC KEY-----
            MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA7so8eY5gZs0QkZQIlQB4
            Lihd447cBisZYlLZR2Qf5ElVeDIIgvlUUy5OW1bo2UREW9s77iht6IHhNv2A/+TI
            sODXuED8HWPYA9POqp1AMF3LCjTXpBS9UWHWHvAxkn5xGV1FeovqwvbRDHl75kqH
            bYlHZ5bxZ2Uf5HKwCH45M/RNPs2V3HIOPfvXm0NlCtNVYB0us0aoAP4J24onca32
            lNJZ4LD6463llH62DOzfI8i7TbHQYHuMMxG38h8kCtXwHQHuA2E7KEqR9abHJacM
            T+1UVNABQtWgPdExD031mkimAp1E8dmqpj5+UPvDYjreFGyE1m2r/sIzra0u6igz
            jwIDAQAB
            -----END PUBLIC KEY-----
            """
        ),
        (
            .es256,
            """
            -----BEGIN PUBLIC KEY-----
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEj54Cg2Fbn8NPMwvVcPWkGzRLY0n8
            DXbO1ilYxX9anrY/bANBSgZUExE+7apQ2uxnxHctLbshhTkf1fFUawltLw==
            -----END PUBLIC KEY-----
            """
        ),
        (
            .es384,
            """
            -----BEGIN PUBLIC KEY-----
            MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEJBAHvTw9Nt1laLKdHFagBHNLashELatd
            9WhW/prMOmby86u4KtObXTnBssumtJ/OONWpA/tgjFpDCnKRYj+SuG/CrhJPvthu
            VKSh708w+I40P5G1Nyn4yeaDTbW7hi/E
            -----END PUBLIC KEY-----
            """
        ),
        (
            .es512,
            """
            -----BEGIN PUBLIC KEY-----
            MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAB4P47y7zcwEMuqt7cAZdRiuk+jv0
            v+3Yj51PhZQS6qI3q9IDVoTw+tJTeBTqeqQE5xIEMnSoPMAoRJP4RvMhlA4Bs46d
            w9+54AjbOgTr86N5lrenzcPvaHNPz4PZpC1hS04sbyX9zkVwkNyPEeUpLJF3vdb7
            lSwp3aXu1lvnW/Hmsz4=
            -----END PUBLIC KEY-----
            """
        ),
        (
            .edDSA,
            """
            -----BEGIN PUBLIC KEY-----
            MCowBQYDK2VwAyEAyh/LoAmggxImQrHm8NfVBpBE7VTPjWtA3B8YQa+M2OI=
            -----END PUBLIC KEY-----
            """
        ),
    ]
}
