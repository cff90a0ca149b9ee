// Asks a server through OpenAI's client for JavaScript: node openai_client.mjs URL QUESTION. Prints what it was told.
import OpenAI from "openai";

const [baseURL, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const asked = { model: "tiny", messages: [{ role: "user", content: question }], seed: 5 };

const reply = await client.chat.completions.create({ ...asked, n: 3 });

let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}

let refused;
try {
  await client.chat.completions.create({ ...asked, model: "nobody" });
} catch (error) {
  refused = { status: error.status, code: error.code };
}

const plain = reply.choices.map((choice) => choice.message.content);
console.log(JSON.stringify({ plain, streamed, usage: reply.usage, refused }));
